#include <brio/os/descriptor.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace brio::os {

Descriptor Descriptor::adopt(int fd) noexcept {
  Descriptor descriptor;
  descriptor.fd_ = fd;
  return descriptor;
}

Descriptor Descriptor::dup(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_oserror(errno, "duplicating descriptor " + std::to_string(fd));
  return adopt(copy);
}

Descriptor Descriptor::open(const std::string& path, int flags, unsigned mode) {
  while (true) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode);
    if (fd >= 0) return adopt(fd);
    if (errno != EINTR) throw_oserror(errno, "open '" + path + "'");
  }
}

std::pair<Descriptor, Descriptor> Descriptor::pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_oserror(errno, "pipe");
  return {adopt(ends[0]), adopt(ends[1])};
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::close() noexcept {
  if (fd_ < 0) return;
  brio::detail::descriptor_closes(fd_);
  ::close(std::exchange(fd_, -1));
}

}  // namespace brio::os
