#include "get/part_file.hpp"

#include "get/files.hpp"
#include "get/progress.hpp"

#include <brio/core/exceptions.hpp>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace brio::cli {
namespace {

std::string url_sum(const std::string& url) {
  Sha256 sum;
  sum.update(url);
  return sum.hex_digest().substr(0, 16);
}

// A smaller file is not worth the system calls.
constexpr std::uint64_t worth_asking = 1024 * 1024;

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
    Descriptor part(
        ::open(part_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666));
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
    // No state, no resuming.
    const auto text = read_regular_file(meta_path_, 1024 * 1024);
    if (text) known = parse_partial_state(*text);
  }
  const bool usable = known && known->url == url && !known->validator.empty() &&
                      size_ <= known->total.value_or(size_);
  if (usable) {
    state_ = std::move(*known);
    state_saved_ = true;
    sum_valid_ = false;  // what is there is read when the sum is asked for
    return;
  }
  state_ = PartialState{.url = url, .validator = "", .total = {}, .name = ""};
  if (size_ > 0) check(::ftruncate(fd_, 0) == 0, "truncate " + part_path_);
  size_ = 0;
  remove_regular_file(meta_path_);
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
  check_room(state.total.value_or(0));
  write_state();
}

// Only looks: room that was reserved by what a server announces could be all there is, for as long
// as it likes to take.
void PartFile::check_room(std::uint64_t announced) const {
  if (announced < worth_asking) return;
  const std::string claim = "store what the server announces (" + format_bytes(announced);
  struct statvfs disk{};
  // A file system that does not know its size says 0.
  if (::fstatvfs(fd_, &disk) == 0 && disk.f_blocks > 0) {
    const std::uint64_t block = disk.f_frsize;
    const std::uint64_t blocks = ::geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
    if (announced / block > blocks) {
      throw_oserror(ENOSPC, claim + ", " + format_bytes(blocks * block) + " free)");
    }
  }
  // A hole in an empty file changes nothing, and is refused where no file may be that long.
  if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(announced)) != 0 &&
      errno == EFBIG) {
    throw_oserror(EFBIG, claim + ")");
  }
}

void PartFile::write_state() {
  state_saved_ = false;
  if (state_.validator.empty()) {
    remove_regular_file(meta_path_);
    return;
  }
  state_saved_ = write_regular_file(meta_path_, serialize(state_));
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
  check(add_to_sum(fd_, sum_), "read " + part_path_);
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
  remove_regular_file(meta_path_);
  // From here on a part of that name is another process's.
  ::close(std::exchange(fd_, -1));
  sync_folder(directory_);
  return true;
}

bool PartFile::keep_or_discard() noexcept {
  const std::lock_guard lock(mutex_);
  if (fd_ >= 0 && size_ > 0 && state_saved_) return true;
  remove_files();
  return false;
}

void PartFile::discard() noexcept {
  const std::lock_guard lock(mutex_);
  remove_files();
}

void PartFile::remove_files() noexcept {
  if (fd_ < 0) return;
  remove_regular_file(meta_path_);
  ::unlink(part_path_.c_str());
  ::close(std::exchange(fd_, -1));
}

}  // namespace brio::cli
