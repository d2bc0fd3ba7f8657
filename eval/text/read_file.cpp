#include "eval/text/read_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "csrc/input_error.h"

namespace simba::eval {

std::string read_file(const std::string& path) {
  std::error_code status;
  if (std::filesystem::is_directory(path, status)) {
    throw InputError(path + ": expected a file, got a folder");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  // Inserting an empty stream buffer fails although nothing went wrong.
  const bool empty = file.is_open() && content.str().empty();
  if (!file.is_open() || file.bad() || (content.fail() && !empty)) {
    throw InputError(path + ": cannot be read");
  }
  return content.str();
}

}  // namespace simba::eval
