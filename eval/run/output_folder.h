// Where a run leaves its files. Whatever can be wrong with the place is found before anything is
// computed, and a file is either there in full or not at all.
#pragma once

#include <filesystem>
#include <string>

namespace simba::eval {

class OutputFolder {
 public:
  // Creates the folder where it is missing. Throws InputError where it cannot be written to, or
  // holds an earlier run that is neither to be replaced (`force`) nor gone on with (`resume`):
  // results.json, or the journal of one that was not finished.
  OutputFolder(const std::string& path, bool force, bool resume = false);
  // Takes a folder away that this object created and that stayed empty.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Writes a file beside its final place, then renames it; it is on the disk on return. Throws
  // std::runtime_error.
  void write(const std::string& name, const std::string& content) const;

  // Takes results.json and run.json away, where they are there. Throws
  // std::filesystem::filesystem_error.
  void remove_results() const;

  bool resume() const { return resume_; }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string journal_path() const { return path("journal.jsonl"); }

 private:
  std::filesystem::path path_;
  bool resume_;
  bool created_ = false;
};

}  // namespace simba::eval
