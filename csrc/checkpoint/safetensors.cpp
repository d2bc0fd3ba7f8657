#include "csrc/checkpoint/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "csrc/checkpoint/quote.h"
#include "csrc/checkpoint/safetensors_header.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::uint64_t kLengthSize = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;

at::ScalarType scalar_type(const SafetensorsEntry& entry, const std::string& path) {
  static const std::unordered_map<std::string_view, at::ScalarType> kTypes = {
      {"F64", at::kDouble},
      {"F32", at::kFloat},
      {"F16", at::kHalf},
      {"BF16", at::kBFloat16},
      {"I64", at::kLong},
      {"I32", at::kInt},
      {"I16", at::kShort},
      {"I8", at::kChar},
      {"U64", at::kUInt64},
      {"U32", at::kUInt32},
      {"U16", at::kUInt16},
      {"U8", at::kByte},
      {"BOOL", at::kBool},
      {"F8_E4M3", at::kFloat8_e4m3fn},
      {"F8_E5M2", at::kFloat8_e5m2},
  };
  const auto found = kTypes.find(entry.dtype);
  if (found == kTypes.end()) {
    throw InputError(path + ": tensor " + quote(entry.name) + ": unknown dtype " +
                     quote(entry.dtype));
  }
  return found->second;
}

std::string_view find_header(const MappedFile& file) {
  if (file.size() < kLengthSize) {
    throw InputError(file.path() + ": expected a safetensors file, got " +
                     std::to_string(file.size()) + " bytes");
  }
  std::uint64_t length = 0;
  for (int i = kLengthSize - 1; i >= 0; --i) {
    length = length << 8 | static_cast<unsigned char>(file.bytes()[static_cast<std::size_t>(i)]);
  }
  const std::uint64_t largest = std::min<std::uint64_t>(kLargestHeader, file.size() - kLengthSize);
  if (length > largest) {
    throw InputError(file.path() + ": expected a header of at most " + std::to_string(largest) +
                     " bytes, got a header length of " + std::to_string(length) +
                     ": truncated, or no safetensors file");
  }
  const std::string_view header = file.bytes().substr(kLengthSize, length);
  if (!header.starts_with('{')) {
    throw InputError(file.path() + ": expected a header that begins with '{', got " +
                     quote(header.substr(0, 1)));
  }
  return header;
}

}  // namespace

NamedTensors read_safetensors(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::string_view header = find_header(*file);
  const std::uint64_t data = kLengthSize + header.size();

  std::vector<SafetensorsEntry> entries = parse_safetensors_header(header, path);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  NamedTensors tensors;
  std::uint64_t next = 0;
  for (const SafetensorsEntry& entry : entries) {
    const std::string where = path + ": tensor " + quote(entry.name) + ": ";
    const std::string offsets =
        "data_offsets [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    const at::ScalarType dtype = scalar_type(entry, path);
    if (entry.begin != next || entry.end < entry.begin) {
      throw InputError(where + offsets + " leave a gap or overlap, expected to begin at " +
                       std::to_string(next));
    }
    if (entry.end > file->size() - data) {
      throw InputError(where + offsets + " reach outside the file, which holds " +
                       std::to_string(file->size() - data) + " bytes of tensors: truncated?");
    }
    const std::optional<std::int64_t> bytes = tensor_bytes(entry.shape, dtype);
    if (!bytes || static_cast<std::uint64_t>(*bytes) != entry.end - entry.begin) {
      throw InputError(where + offsets + " do not match its dtype and shape, which need " +
                       (bytes ? std::to_string(*bytes) : "more than 2^63") + " bytes");
    }
    tensors.emplace(entry.name, mapped_tensor(file, data + entry.begin, entry.shape, dtype));
    next = entry.end;
  }
  if (next != file->size() - data) {
    throw InputError(path + ": " + std::to_string(file->size() - data - next) +
                     " bytes after the last tensor");
  }
  return tensors;
}

}  // namespace simba
