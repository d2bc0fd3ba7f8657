#include "csrc/checkpoint/torch_archive.h"

#include <memory>
#include <string_view>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/checkpoint/restricted_unpickler.h"
#include "csrc/checkpoint/zip_archive.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::string_view kZipStart = "PK\x03\x04";
// The pickled magic number 0x1950a86a20f9469cfc6c that opens a file of torch.save before 1.6.
constexpr std::string_view kLegacyStart =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

void check_start(const MappedFile& file) {
  const std::string_view bytes = file.bytes();
  if (bytes.starts_with(kZipStart)) return;
  if (bytes.starts_with(kLegacyStart)) {
    throw InputError(
        file.path() +
        ": written in PyTorch's format before 1.6; load it in Python and save it again "
        "with torch.save, or convert it to safetensors");
  }
  throw InputError(file.path() +
                   ": expected a zip archive written by torch.save, got a file that " +
                   (bytes.empty() ? "is empty" : "begins with " + quote(bytes.substr(0, 8))));
}

// The folder that holds data.pkl: its name is that of the file when it was saved.
std::string find_prefix(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "data.pkl";
  const std::string& path = archive.file()->path();
  std::string prefix;
  bool found = false;
  for (const auto& [name, entry] : archive.entries()) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || std::string_view(name).substr(slash + 1) != kPickle) continue;
    if (found) throw InputError(path + ": expected one data.pkl in the archive, got several");
    found = true;
    prefix = name.substr(0, slash + 1);
  }
  if (!found) throw InputError(path + ": no data.pkl in the archive: not written by torch.save");
  return prefix;
}

}  // namespace

NamedTensors read_torch_archive(const std::string& path) {
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  check_start(*file);
  const ZipArchive archive(std::move(file));
  const std::string prefix = find_prefix(archive);

  const ZipArchive::Entry* byte_order = archive.find(prefix + "byteorder");
  if (byte_order != nullptr && archive.bytes(*byte_order) != "little") {
    throw InputError(path + ": expected little-endian tensors, got byte order " +
                     quote(archive.bytes(*byte_order)));
  }

  // Tensors may share a storage; an unaligned one is copied, so that each is made only once.
  std::map<std::pair<std::string, at::ScalarType>, at::Tensor> storages;
  const LoadStorage load_storage = [&](std::string_view key, at::ScalarType dtype,
                                       std::int64_t elements) {
    at::Tensor& storage = storages[{std::string(key), dtype}];
    if (storage.defined() && storage.numel() == elements) return storage;
    const ZipArchive::Entry* entry = archive.find(prefix + "data/" + std::string(key));
    if (entry == nullptr) throw InputError(path + ": no record of storage " + quote(key));
    const std::optional<std::int64_t> expected = tensor_bytes({elements}, dtype);
    if (!expected || static_cast<std::size_t>(*expected) != entry->size) {
      throw InputError(path + ": storage " + quote(key) + ": expected " + std::to_string(elements) +
                       " elements of " + c10::toString(dtype) + ", got a record of " +
                       std::to_string(entry->size) + " bytes");
    }
    storage = mapped_tensor(archive.file(), entry->offset, {elements}, dtype);
    return storage;
  };
  return unpickle_tensors(archive.bytes(*archive.find(prefix + "data.pkl")), path, load_storage);
}

}  // namespace simba
