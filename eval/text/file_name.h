// The name by which results know a file or a folder.
#pragma once

#include <filesystem>
#include <string>

namespace simba::eval {

// The last component. Throws InputError where it is not UTF-8: JSON cannot hold it.
std::string file_name(const std::filesystem::path& path);

}  // namespace simba::eval
