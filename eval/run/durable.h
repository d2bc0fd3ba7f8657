// Files that are to survive a power failure.
#pragma once

#include <filesystem>

namespace simba::eval {

// Returns once the content of a file, or the entries of a folder, are on the disk. Throws
// std::runtime_error.
void sync_to_disk(const std::filesystem::path& path);

}  // namespace simba::eval
