#include "csrc/checkpoint/zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::uint64_t kInZip64 =
    0xffffffff;  // a 32-bit field that says: see the ZIP64 extra field
constexpr std::uint16_t kZip64Extra = 0x0001;

// Little-endian integers at checked positions.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::uint64_t number(std::uint64_t position, int width) const {
    const std::string_view field = range(position, width);
    std::uint64_t value = 0;
    for (int i = width - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(field[i]);
    return value;
  }
  std::uint16_t u16(std::uint64_t position) const { return number(position, 2); }
  std::uint32_t u32(std::uint64_t position) const { return number(position, 4); }
  std::uint64_t u64(std::uint64_t position) const { return number(position, 8); }

  std::string_view range(std::uint64_t position, std::uint64_t size) const {
    if (position > bytes_.size() || size > bytes_.size() - position) {
      fail("damaged zip archive: an offset points outside the file");
    }
    return bytes_.substr(position, size);
  }

  std::uint64_t size() const { return bytes_.size(); }
  [[noreturn]] void fail(const std::string& text) const { throw InputError(path_ + ": " + text); }

 private:
  std::string_view bytes_;
  const std::string& path_;
};

struct Directory {
  std::uint64_t entries;
  std::uint64_t offset;
  std::uint64_t size;
};

Directory find_directory(const Reader& in) {
  constexpr std::uint64_t kEndSize = 22, kLocatorSize = 20, kLongestComment = 0xffff;
  if (in.size() < kEndSize) in.fail("not a zip archive: too short, or truncated");
  const std::uint64_t last = in.size() - kEndSize;
  const std::uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
  std::uint64_t end = last;
  while (in.u32(end) != kEnd || end + kEndSize + in.u16(end + 20) != in.size()) {
    if (end-- == first) in.fail("truncated zip archive: no end-of-directory record");
  }
  Directory found{in.u16(end + 10), in.u32(end + 16), in.u32(end + 12)};
  if (end >= kLocatorSize && in.u32(end - kLocatorSize) == kEnd64Locator) {
    const std::uint64_t end64 = in.u64(end - kLocatorSize + 8);
    in.range(end64, 56);
    if (in.u32(end64) != kEnd64) in.fail("damaged zip archive: no ZIP64 end-of-directory record");
    found = {in.u64(end64 + 32), in.u64(end64 + 48), in.u64(end64 + 40)};
  }
  in.range(found.offset, found.size);
  return found;
}

struct CentralEntry {
  std::string_view name;
  std::uint64_t size, stored_size, header;
};

// Replaces the fields that are too wide for 32 bits, in the fixed order of APPNOTE 4.5.3.
void read_zip64_extra(const Reader& in, std::uint64_t extra, std::uint64_t extra_size,
                      CentralEntry& entry) {
  const std::uint64_t extra_end = extra + extra_size;
  while (extra + 4 <= extra_end) {
    const std::uint16_t id = in.u16(extra);
    const std::uint64_t field_end = extra + 4 + in.u16(extra + 2);
    if (field_end > extra_end) in.fail("damaged zip archive: bad extra field");
    if (id == kZip64Extra) {
      std::uint64_t at = extra + 4;
      for (std::uint64_t* value : {&entry.size, &entry.stored_size, &entry.header}) {
        if (*value != kInZip64) continue;
        if (at + 8 > field_end) in.fail("damaged zip archive: short ZIP64 field");
        *value = in.u64(at);
        at += 8;
      }
    }
    extra = field_end;
  }
}

ZipArchive::Entry locate(const Reader& in, const CentralEntry& entry, std::uint64_t directory) {
  const std::string name = quote(entry.name);
  in.range(entry.header, 30);
  if (in.u32(entry.header) != kLocalHeader)
    in.fail("damaged zip archive: no header at entry " + name);
  const std::uint64_t name_size = in.u16(entry.header + 26);
  if (in.range(entry.header + 30, name_size) != entry.name) {
    in.fail("damaged zip archive: entry " + name + " has two names");
  }
  const std::uint64_t offset = entry.header + 30 + name_size + in.u16(entry.header + 28);
  if (offset > directory || entry.size > directory - offset) {
    in.fail("damaged zip archive: entry " + name + " lies outside the file");
  }
  return {offset, entry.size};
}

}  // namespace

ZipArchive::ZipArchive(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
  const Reader in(file_->bytes(), file_->path());
  const Directory directory = find_directory(in);
  const std::uint64_t end = directory.offset + directory.size;
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (end - at < 46 || in.u32(at) != kCentralHeader) {
      in.fail("damaged zip archive: " + std::to_string(directory.entries) +
              " directory entries expected, entry " + std::to_string(i) + " is missing");
    }
    const std::uint16_t flags = in.u16(at + 8), method = in.u16(at + 10);
    const std::uint64_t name_size = in.u16(at + 28), extra_size = in.u16(at + 30);
    const std::uint64_t next = at + 46 + name_size + extra_size + in.u16(at + 32);
    if (next > end) in.fail("damaged zip archive: a directory entry is cut");
    CentralEntry entry{in.range(at + 46, name_size), in.u32(at + 24), in.u32(at + 20),
                       in.u32(at + 42)};
    read_zip64_extra(in, at + 46 + name_size, extra_size, entry);

    const std::string name = quote(entry.name);
    if ((flags & 1) != 0) in.fail("zip entry " + name + " is encrypted");
    if (method != 0 || entry.size != entry.stored_size) {
      in.fail("zip entry " + name + " is compressed (method " + std::to_string(method) +
              "), expected stored entries as torch.save writes them");
    }
    if (!entries_.emplace(entry.name, locate(in, entry, directory.offset)).second) {
      in.fail("zip entry " + name + " occurs twice");
    }
    at = next;
  }
  if (at != end) in.fail("damaged zip archive: bytes after the last directory entry");
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

std::string_view ZipArchive::bytes(const Entry& entry) const {
  return file_->bytes().substr(entry.offset, entry.size);
}

}  // namespace simba
