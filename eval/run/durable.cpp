#include "eval/run/durable.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace simba::eval {

void sync_to_disk(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Some file systems cannot sync a folder, and say so by EINVAL.
  const bool synced = file >= 0 && (::fsync(file) == 0 || errno == EINVAL);
  const std::string reason = std::strerror(errno);
  if (file >= 0) ::close(file);
  if (!synced) throw std::runtime_error(path.string() + ": cannot be synced: " + reason);
}

}  // namespace simba::eval
