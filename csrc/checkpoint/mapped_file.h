// A whole file mapped into memory. Pages are read from disk when first touched and shared with
// other processes; a write goes to a private copy of its page and never to the file.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace simba {

class MappedFile {
 public:
  // Throws InputError where the path cannot be opened or is not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile(std::string path, char* data, std::size_t size);

  std::string path_;
  char* data_;  // null for an empty file
  std::size_t size_;
};

}  // namespace simba
