// A folder that exists as long as the object does.
#pragma once

#include <ftw.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace simba::test {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(testing::TempDir() + "/simba-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + path_);
  }
  // Not std::filesystem::remove_all: LibTorch's wheels export one of their own, which crashes in
  // programs built with another standard library.
  ~TemporaryFolder() {
    const auto remove_entry = [](const char* entry, const struct stat*, int, struct FTW*) {
      return ::remove(entry);
    };
    ::nftw(path_.c_str(), remove_entry, /*nopenfd=*/16, FTW_DEPTH | FTW_PHYS);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // Writes a file, with the folders above it, and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    // Not truncated: some file systems wait for the disk when a file is emptied and written again,
    // and a mapping of the old file stays whole.
    std::filesystem::remove(file);
    std::ofstream out(file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file.string();
  }

 private:
  std::string path_;
};

}  // namespace simba::test
