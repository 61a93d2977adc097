#include "get/files.hpp"

#include <brio/core/exceptions.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace brio::cli {
namespace {

// Calls `function(text)` for each piece of the file from its start.
template <class Function>
bool read_pieces(int fd, Function function) {
  std::string buffer(256 * 1024, '\0');
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (!function(std::string_view(buffer.data(), static_cast<std::size_t>(count)))) return true;
  }
}

bool is_regular(int fd) noexcept {
  struct stat there{};
  return ::fstat(fd, &there) == 0 && S_ISREG(there.st_mode);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ > STDIN_FILENO) ::close(fd_);
}

int Descriptor::release() noexcept { return std::exchange(fd_, -1); }

void check(bool good, const std::string& operation) {
  if (!good) throw_oserror(errno, operation);
}

bool add_to_sum(int fd, Sha256& sum) {
  return read_pieces(fd, [&sum](std::string_view piece) {
    sum.update(piece);
    return true;
  });
}

std::optional<std::string> file_sum(const std::string& path) {
  // Not to wait for the other end of a pipe.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 || !is_regular(file.get())) return std::nullopt;
  Sha256 sum;
  if (!add_to_sum(file.get(), sum)) return std::nullopt;
  return sum.hex_digest();
}

bool path_exists(const std::string& path) noexcept {
  struct stat there{};
  return ::lstat(path.c_str(), &there) == 0;
}

void make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) {
      throw_oserror(errno, "make folder " + part);
    }
    if (slash == std::string::npos) break;
  }
  struct stat there{};
  check(::stat(path.c_str(), &there) == 0, "open folder " + path);
  if (!S_ISDIR(there.st_mode)) throw_oserror(ENOTDIR, "open folder " + path);
}

std::string read_whole_file(const std::string& path, std::size_t limit) {
  const Descriptor file(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  check(file.get() >= 0, "open " + path);
  std::string text;
  const bool read = read_pieces(file.get(), [&](std::string_view piece) {
    text += piece;
    return text.size() <= limit;
  });
  check(read, "read " + path);
  if (text.size() > limit) {
    throw RuntimeError(path + " is larger than " + std::to_string(limit) + " bytes");
  }
  return text;
}

std::optional<std::string> read_regular_file(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0 || !is_regular(file.get())) return std::nullopt;
  std::string text;
  const bool read = read_pieces(file.get(), [&](std::string_view piece) {
    text += piece;
    return text.size() <= limit;
  });
  if (!read || text.size() > limit) return std::nullopt;
  return text;
}

bool write_regular_file(const std::string& path, std::string_view text) {
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (file.get() < 0) {
    // What a link, a pipe that nobody reads, and a folder say.
    if (errno == ELOOP || errno == ENXIO || errno == EISDIR) return false;
    throw_oserror(errno, "open " + path);
  }
  if (!is_regular(file.get())) return false;
  check(::ftruncate(file.get(), 0) == 0, "truncate " + path);
  // Cut short it is of no use, and costs only the resuming.
  check(::write(file.get(), text.data(), text.size()) >= 0, "write to " + path);
  return true;
}

void remove_regular_file(const std::string& path) noexcept {
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && S_ISREG(there.st_mode)) ::unlink(path.c_str());
}

bool loses_data(int error_number) noexcept {
  return error_number == EIO || error_number == ENOSPC || error_number == EDQUOT;
}

void sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool good = folder.get() >= 0 && ::fsync(folder.get()) == 0;
  if (!good && loses_data(errno)) throw_oserror(errno, "fsync " + path);
}

}  // namespace brio::cli
