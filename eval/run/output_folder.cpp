#include "eval/run/output_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "csrc/input_error.h"
#include "eval/run/durable.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

fs::path temporary(const fs::path& folder, const std::string& name) {
  return folder / ("." + name + "." + std::to_string(getpid()) + ".tmp");
}

}  // namespace

OutputFolder::OutputFolder(const std::string& path, bool force, bool resume)
    : path_(fs::path(path) / ""), resume_(resume) {
  path_ = path_.parent_path();  // without a trailing slash, which create_directories miscounts
  std::error_code error;
  created_ = fs::create_directories(path_, error);
  if (error) throw InputError("--out " + path + ": cannot be created: " + error.message());
  if (!fs::is_directory(path_, error)) {
    throw InputError("--out " + path + ": expected a folder, got a file");
  }
  const fs::path probe = temporary(path_, "probe");
  if (!(std::ofstream(probe) << "probe\n")) {
    const std::string reason = std::strerror(errno);
    throw InputError("--out " + path + ": cannot be written to: " + reason);
  }
  fs::remove(probe, error);
  const bool journal = fs::exists(journal_path(), error);
  const bool results = fs::exists(path_ / "results.json", error);
  if (results && !force && !(resume && journal)) {
    throw InputError("--out " + path +
                     ": holds a results.json already; name another folder or give --force");
  }
  if (journal && !force && !resume) {
    throw InputError("--out " + path +
                     ": holds the journal of an unfinished run; give --resume to go on with it, or"
                     " --force to begin anew");
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (created_ && fs::is_empty(path_, ignored)) fs::remove(path_, ignored);
}

void OutputFolder::write(const std::string& name, const std::string& content) const {
  const fs::path unfinished = temporary(path_, name);
  std::ofstream file(unfinished, std::ios::binary);
  file << content;
  file.close();
  if (file) sync_to_disk(unfinished);
  std::error_code error;
  if (file) fs::rename(unfinished, path_ / name, error);
  if (!file || error) {
    const std::string reason = error ? error.message() : std::strerror(errno);
    fs::remove(unfinished, error);
    throw std::runtime_error((path_ / name).string() + ": cannot be written: " + reason);
  }
  sync_to_disk(path_);
}

void OutputFolder::remove_results() const {
  fs::remove(path_ / "results.json");
  fs::remove(path_ / "run.json");
}

}  // namespace simba::eval
