#include "eval/tasks/task_catalog.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "csrc/input_error.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

std::string names_in(const std::string& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".toml") names.insert(entry.path().stem().string());
  }
  if (error) return "";
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string task_file(const std::string& piece, const std::string& folder) {
  std::error_code error;
  if (piece.ends_with(".toml")) {
    if (fs::is_regular_file(piece, error)) return piece;
    throw InputError("--tasks: no such file: " + piece);
  }
  const fs::path path = fs::path(folder) / (piece + ".toml");
  if (piece.find('/') == std::string::npos && fs::is_regular_file(path, error)) {
    return path.string();
  }
  const std::string names = names_in(folder);
  throw InputError("--tasks: expected " +
                   (names.empty() ? "names of tasks, but there are none in " + folder +
                                        " (--configs names another folder)"
                                  : "one of " + names + " or a file FILE.toml") +
                   ", got '" + piece + "'");
}

}  // namespace

std::string default_task_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "share/simba/configs/tasks").string();
}

std::vector<TaskConfig> find_tasks(const std::vector<std::string>& pieces,
                                   const std::string& folder) {
  std::vector<TaskConfig> tasks;
  std::set<std::string> names;
  for (const std::string& piece : pieces) {
    tasks.push_back(read_task_config(task_file(piece, folder)));
    if (!names.insert(tasks.back().name).second) {
      throw InputError("--tasks: task " + tasks.back().name + " is given twice");
    }
  }
  return tasks;
}

}  // namespace simba::eval
