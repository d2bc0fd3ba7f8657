// Where a run leaves its files. Whatever can be wrong with the place is found before anything is
// computed, and a file is either there in full or not at all.
#pragma once

#include <filesystem>
#include <string>

namespace simba::eval {

class OutputFolder {
 public:
  // Creates the folder where it is missing. Throws InputError where it cannot be written to, or
  // holds a results.json already and `force` is false.
  OutputFolder(const std::string& path, bool force);
  // Takes a folder away that this object created and that stayed empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Writes a file beside its final place, then renames it. Throws std::runtime_error.
  void write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
  bool created_ = false;
};

}  // namespace simba::eval
