// The directory of a zip file (APPNOTE.TXT 6.3: central directory, ZIP64), as far as torch.save
// writes it: entries stored without compression, so that each is a range of the mapped file.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "csrc/checkpoint/mapped_file.h"

namespace simba {

class ZipArchive {
 public:
  struct Entry {
    std::size_t offset;  // of the first byte of its data in the file
    std::size_t size;    // bytes
  };

  // Throws InputError on a damaged or truncated directory, on compressed, encrypted or duplicate
  // entries and on entries outside the file. Checksums are not compared: torch.save may leave them
  // out.
  explicit ZipArchive(std::shared_ptr<const MappedFile> file);

  const std::shared_ptr<const MappedFile>& file() const { return file_; }
  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  const Entry* find(std::string_view name) const;  // null where there is none
  std::string_view bytes(const Entry& entry) const;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace simba
