#include "csrc/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "csrc/input_error.h"

namespace simba {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

class Descriptor {
 public:
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  explicit Descriptor(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor fd(path);
  if (fd.get() < 0) throw InputError(path + ": cannot be opened: " + reason(errno));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) {
    throw InputError(path + ": cannot be read: " + reason(errno));
  }
  if (!S_ISREG(info.st_mode)) throw InputError(path + ": expected a regular file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(path, nullptr, 0));
  void* data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (data == MAP_FAILED) throw InputError(path + ": cannot be mapped: " + reason(errno));
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<char*>(data), size));
}

MappedFile::MappedFile(std::string path, char* data, std::size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace simba
