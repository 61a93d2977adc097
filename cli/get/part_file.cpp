#include "get/part_file.hpp"

#include <brio/core/exceptions.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace brio::cli {
namespace {

/// A descriptor that is closed when it goes.
class Descriptor {
public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

private:
  int fd_;
};

void check(bool good, const std::string& operation) {
  if (!good) throw_oserror(errno, operation);
}

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

std::string url_sum(const std::string& url) {
  Sha256 sum;
  sum.update(url);
  return sum.hex_digest().substr(0, 16);
}

// Room smaller than this is not worth a system call.
constexpr std::uint64_t worth_reserving = 1024 * 1024;

}  // namespace

PartFile::PartFile(std::string directory, std::string stem, bool with_sum)
    : directory_(std::move(directory)),
      part_path_(directory_ + "/" + stem + ".part"),
      meta_path_(directory_ + "/" + stem + ".meta"),
      with_sum_(with_sum) {}

PartFile::~PartFile() {
  // An empty part, as a cancellation may leave it, is of no use to anybody.
  if (size_ == 0) remove_files();
  if (fd_ >= 0) ::close(fd_);
}

std::shared_ptr<PartFile> PartFile::open(const std::string& directory, const std::string& url,
                                         bool with_sum) {
  std::shared_ptr<PartFile> file(new PartFile(directory, ".brio-" + url_sum(url), with_sum));
  file->open_locked();
  file->load(url);
  return file;
}

void PartFile::open_locked() {
  while (true) {
    // Ours only once it is locked: until then the files may be another process's, and are not to be
    // cleaned up.
    Descriptor part(::open(part_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    check(part.get() >= 0, "open " + part_path_);
    if (::flock(part.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        throw OSError(std::make_error_code(std::errc::resource_unavailable_try_again),
                      "another process is downloading this URL into this folder");
      }
      throw_oserror(errno, "lock " + part_path_);
    }
    // Its last owner may have renamed or removed it between our open and our lock.
    struct stat ours{};
    struct stat there{};
    check(::fstat(part.get(), &ours) == 0, "stat " + part_path_);
    if (!S_ISREG(ours.st_mode)) throw_oserror(EINVAL, "open " + part_path_);
    if (::lstat(part_path_.c_str(), &there) == 0 && there.st_ino == ours.st_ino &&
        there.st_dev == ours.st_dev) {
      size_ = static_cast<std::uint64_t>(ours.st_size);
      fd_ = part.release();
      return;
    }
  }
}

void PartFile::load(const std::string& url) {
  std::optional<PartialState> known;
  if (size_ > 0) {
    try {
      known = parse_partial_state(read_whole_file(meta_path_, 1024 * 1024));
    } catch (const std::exception&) {
      // No state, no resuming.
    }
  }
  const bool usable = known && known->url == url && !known->validator.empty() &&
                      size_ <= known->total.value_or(size_);
  if (usable) {
    state_ = std::move(*known);
    sum_valid_ = false;  // what is there is read when the sum is asked for
    return;
  }
  state_ = PartialState{.url = url, .validator = "", .total = {}, .name = ""};
  if (size_ > 0) check(::ftruncate(fd_, 0) == 0, "truncate " + part_path_);
  size_ = 0;
  ::unlink(meta_path_.c_str());
}

std::uint64_t PartFile::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

PartialState PartFile::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void PartFile::restart(const PartialState& state) {
  const std::lock_guard lock(mutex_);
  check(::ftruncate(fd_, 0) == 0, "truncate " + part_path_);
  size_ = 0;
  state_ = state;
  sum_.reset();
  sum_valid_ = true;
  if (state.total.value_or(0) >= worth_reserving) {
    const int failed =
        ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(*state.total)) == 0 ? 0 : errno;
    // Some file systems cannot; then the disk's end is found by writing.
    if (failed == ENOSPC || failed == EFBIG || failed == EDQUOT) {
      throw_oserror(failed, "reserve " + std::to_string(*state.total) + " bytes in " + directory_);
    }
  }
  write_state();
}

void PartFile::write_state() {
  if (state_.validator.empty()) {
    ::unlink(meta_path_.c_str());
    return;
  }
  const std::string text = serialize(state_);
  const Descriptor meta(
      ::open(meta_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  check(meta.get() >= 0, "open " + meta_path_);
  const ssize_t written = ::write(meta.get(), text.data(), text.size());
  check(written >= 0, "write to " + meta_path_);
  // A state cut short is no state, and costs only the resuming.
}

void PartFile::append(std::string_view data) {
  const std::lock_guard lock(mutex_);
  while (!data.empty()) {
    const ssize_t count = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(size_));
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, "write to " + part_path_);
    if (with_sum_ && sum_valid_) sum_.update(data.substr(0, static_cast<std::size_t>(count)));
    size_ += static_cast<std::uint64_t>(count);
    data.remove_prefix(static_cast<std::size_t>(count));
  }
}

void PartFile::hash_existing() {
  sum_.reset();
  check(::lseek(fd_, 0, SEEK_SET) == 0, "seek in " + part_path_);
  const bool read = read_pieces(fd_, [this](std::string_view piece) {
    sum_.update(piece);
    return true;
  });
  check(read, "read " + part_path_);
  sum_valid_ = true;
}

std::string PartFile::sum() {
  const std::lock_guard lock(mutex_);
  if (!with_sum_ || !sum_valid_) hash_existing();
  sum_valid_ = false;  // a sum can be taken once
  return sum_.hex_digest();
}

bool PartFile::commit(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const std::string path = directory_ + "/" + name;
  // Also gives back what was reserved beyond the end.
  check(::ftruncate(fd_, static_cast<off_t>(size_)) == 0, "truncate " + part_path_);
  check(::fsync(fd_) == 0, "fsync " + part_path_);
  if (::renameat2(AT_FDCWD, part_path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return false;
    // A file system without RENAME_NOREPLACE: a hard link refuses a taken name just as well.
    if (errno != EINVAL && errno != ENOSYS) throw_oserror(errno, "rename to " + path);
    if (::link(part_path_.c_str(), path.c_str()) != 0) {
      if (errno == EEXIST) return false;
      throw_oserror(errno, "link to " + path);
    }
    ::unlink(part_path_.c_str());
  }
  ::unlink(meta_path_.c_str());
  // From here on a part of that name is another process's.
  ::close(std::exchange(fd_, -1));
  const Descriptor folder(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  check(folder.get() >= 0 && ::fsync(folder.get()) == 0, "fsync " + directory_);
  return true;
}

bool PartFile::keep_or_discard() noexcept {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0 && size_ > 0 && !state_.validator.empty()) {
    if (::ftruncate(fd_, static_cast<off_t>(size_)) == 0) return true;
  }
  remove_files();
  return false;
}

void PartFile::discard() noexcept {
  const std::lock_guard lock(mutex_);
  remove_files();
}

void PartFile::remove_files() noexcept {
  if (fd_ < 0) return;
  ::unlink(meta_path_.c_str());
  ::unlink(part_path_.c_str());
  ::close(std::exchange(fd_, -1));
}

std::optional<std::string> file_sum(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return std::nullopt;
  Sha256 sum;
  const bool read = read_pieces(file.get(), [&sum](std::string_view piece) {
    sum.update(piece);
    return true;
  });
  if (!read) return std::nullopt;
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

}  // namespace brio::cli
