// A whole text file in memory.
#pragma once

#include <string>

namespace simba::eval {

// Throws InputError where `path` cannot be read as a file.
std::string read_file(const std::string& path);

}  // namespace simba::eval
