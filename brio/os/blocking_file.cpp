#include <brio/os/blocking_file.hpp>

#include <brio/core/logging.hpp>
#include <brio/net/sigpipe.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace brio::os::detail {

namespace {

// One read(2) or write(2) moves no more than this.
constexpr std::size_t largest_step = 0x7ffff000;
constexpr std::size_t usual_step = 256 * 1024;

// A descriptor that somebody made non-blocking, given to open: we are in a thread, and wait.
void wait_until(int fd, short events) {
  pollfd waited{fd, events, 0};
  ::poll(&waited, 1, -1);
}

bool can_seek(int fd) { return ::lseek(fd, 0, SEEK_CUR) >= 0; }

}  // namespace

std::string about(const char* operation, const std::string& name) {
  return std::string(operation) + " '" + name + "'";
}

FileMode FileMode::parse(const std::string& mode) {
  std::size_t kinds = 0;
  bool plus = false;
  bool text = false;
  bool binary = false;
  FileMode result;
  for (std::size_t i = 0; i < mode.size(); ++i) {
    const char c = mode[i];
    if (std::string_view("rwaxbt+").find(c) == std::string_view::npos ||
        mode.find(c, i + 1) != mode.npos)
      throw ValueError("invalid mode: '" + mode + "'");
    if (c == '+') {
      plus = true;
    } else if (c == 'b') {
      binary = true;
    } else if (c == 't') {
      text = true;
    } else {
      ++kinds;
      result.kind = c;
    }
  }
  if (text && binary) throw ValueError("can't have text and binary mode at once");
  if (kinds != 1) throw ValueError("must have exactly one of create/read/write/append mode");
  if (text) throw ValueError("no text mode (mode '" + mode + "'): brio's files are bytes");
  result.readable = plus || result.kind == 'r';
  result.writable = plus || result.kind != 'r';
  return result;
}

int FileMode::flags() const noexcept {
  const int direction = readable && writable ? O_RDWR : readable ? O_RDONLY : O_WRONLY;
  switch (kind) {
    case 'w': return direction | O_CLOEXEC | O_CREAT | O_TRUNC;
    case 'a': return direction | O_CLOEXEC | O_CREAT | O_APPEND;
    case 'x': return direction | O_CLOEXEC | O_CREAT | O_EXCL;
    default: return direction | O_CLOEXEC;
  }
}

std::string FileMode::str() const {
  const bool both = readable && writable;
  std::string text(1, both && kind == 'w' ? 'r' : kind);
  return text + (both ? "b+" : "b");
}

BlockingFile::BlockingFile(Descriptor descriptor, FileMode mode_, std::string name_,
                           OpenOptions options_)
    : mode(mode_),
      name(std::move(name_)),
      options(options_),
      seekable(can_seek(descriptor.fileno())),
      descriptor_(std::move(descriptor)) {
  struct stat status{};
  if (::fstat(fileno(), &status) != 0) fail(errno, "open");
  if (S_ISDIR(status.st_mode)) fail(EISDIR, "open");
  // O_DIRECT goes past the page cache, and then waits for the disk whatever is asked.
  cached_ = mode.readable && seekable && S_ISREG(status.st_mode) &&
            (::fcntl(fileno(), F_GETFL) & O_DIRECT) == 0;
  if (mode.readable && mode.writable && !seekable) {
    descriptor_.close();
    throw UnsupportedOperation("File or stream is not seekable.");
  }
  if (mode.kind == 'a' && seekable) ::lseek(fileno(), 0, SEEK_END);
}

BlockingFile::~BlockingFile() {
  if (!descriptor_) return;
  try {
    close();
  } catch (const std::exception& error) {
    log(LogLevel::error, "brio.os",
        "a file that was not closed could not be written: " + std::string(error.what()));
  }
}

std::shared_ptr<BlockingFile> BlockingFile::open(const std::string& path, FileMode mode,
                                                 OpenOptions options) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), mode.flags(), options.permissions);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw_oserror(errno, about("open", path));
  return std::make_shared<BlockingFile>(Descriptor::adopt(fd), mode, path, options);
}

void BlockingFile::fail(int error_number, const char* operation) const {
  throw_oserror(error_number, about(operation, name));
}

// ---- reading

std::optional<std::size_t> BlockingFile::line(std::optional<std::size_t> limit,
                                              std::size_t from) const noexcept {
  const std::string_view rest = peek(unread());
  const std::size_t end = rest.find('\n', from);
  const std::size_t length = end == rest.npos ? rest.npos : end + 1;
  if (limit && *limit <= rest.size()) return std::min(length, *limit);
  if (length == rest.npos) return std::nullopt;
  return length;
}

std::string BlockingFile::take(std::size_t size) {
  if (in_pos_ == 0 && size == in_.size()) return std::exchange(in_, {});
  std::string data(peek(size));
  skip(size);
  return data;
}

void BlockingFile::put_back(std::string_view data) {
  in_.replace(0, in_pos_, data);
  in_pos_ = 0;
}

// Adds at most `size` bytes, by one call, to what is held. False at the end of the file.
bool BlockingFile::read_more(std::size_t size) {
  in_.erase(0, std::exchange(in_pos_, 0));
  const std::size_t before = in_.size();
  in_.resize(before + std::min(size, largest_step));
  ssize_t count = 0;
  while (true) {
    count = ::read(fileno(), in_.data() + before, in_.size() - before);
    if (count >= 0) break;
    if (errno == EAGAIN) {
      wait_until(fileno(), POLLIN);
    } else if (errno != EINTR) {
      const int error = errno;
      in_.resize(before);
      fail(error, "read");
    }
  }
  in_.resize(before + static_cast<std::size_t>(count));
  return count > 0;
}

// read_more from the page cache, if that has something: RWF_NOWAIT.
BlockingFile::Cached BlockingFile::read_cached(std::size_t size) {
  in_.erase(0, std::exchange(in_pos_, 0));
  const std::size_t before = in_.size();
  in_.resize(before + size);
  const iovec part{in_.data() + before, size};
  const ssize_t count = ::preadv2(fileno(), &part, 1, -1, RWF_NOWAIT);
  // What else there may be (no such flag on this file system, a damaged disk) the thread finds out.
  if (count < 0 && errno != EAGAIN && errno != EINTR) cached_ = false;
  in_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return count > 0 ? Cached::some : count == 0 ? Cached::end : Cached::none;
}

bool BlockingFile::hold_cached(std::size_t size) {
  if (!may_be_cached() || size > unread() + at_once) return false;
  while (unread() < size) {
    const std::size_t wanted = std::max(size - unread(), std::min(options.buffer_size, at_once));
    const Cached read = read_cached(wanted);
    if (read != Cached::some) return read == Cached::end;
  }
  return true;
}

bool BlockingFile::hold_cached_line(std::optional<std::size_t> limit) {
  const std::size_t most = unread() + at_once;
  std::size_t searched = 0;
  while (!line(limit, searched)) {
    searched = unread();
    if (searched >= most || !may_be_cached()) return false;
    const Cached read = read_cached(std::min(options.buffer_size, most - searched));
    if (read != Cached::some) return read == Cached::end;
  }
  return true;
}

void BlockingFile::check_max() const {
  if (options.max_read && unread() > *options.max_read) {
    throw ValueError(about("read of", name) + " would give more than " +
                     std::to_string(*options.max_read) + " bytes");
  }
}

// How much is worth being asked for at once: one byte more than there seems to be, so that the end
// is met without growing once more.
std::size_t BlockingFile::likely() const {
  struct stat status{};
  if (seekable && ::fstat(fileno(), &status) == 0) {
    const std::int64_t left = status.st_size - ::lseek(fileno(), 0, SEEK_CUR);
    if (left > 0) return std::max(options.buffer_size, static_cast<std::size_t>(left) + 1);
  }
  return options.buffer_size;
}

std::string BlockingFile::read(std::optional<std::size_t> size) {
  flush();
  if (size) {
    if (unread() >= *size) return take(*size);
    // A count may be a bound and no wish: memory is taken for what is there.
    const std::size_t most = std::max(likely(), usual_step);
    while (unread() < *size &&
           read_more(std::max(std::min(*size - unread(), most), options.buffer_size))) {
    }
    return take(std::min(*size, unread()));
  }
  std::size_t guess = likely();
  if (options.max_read) guess = std::min(guess, std::max(*options.max_read, std::size_t{1024}) + 1);
  check_max();
  while (read_more(guess)) {
    check_max();
    // Into the room that there is, but not more than is likely to come at once.
    const std::size_t room = in_.capacity() - in_.size();
    guess =
        room > 0 ? std::min(room, std::max(options.buffer_size, usual_step)) : options.buffer_size;
  }
  return take(unread());
}

std::string BlockingFile::readline(std::optional<std::size_t> limit) {
  flush();
  std::size_t searched = 0;
  while (true) {
    if (const auto length = line(limit, searched)) {
      if (!limit && options.max_read && *length > *options.max_read) check_max();
      return take(*length);
    }
    if (!limit) check_max();
    searched = unread();
    if (!read_more(options.buffer_size)) return take(unread());
  }
}

// ---- writing

// What was read ahead is not read: the descriptor goes back to where the file's reader is.
void BlockingFile::drop_unread() {
  if (unread() > 0 && seekable &&
      ::lseek(fileno(), -static_cast<std::int64_t>(unread()), SEEK_CUR) < 0) {
    fail(errno, "seek");
  }
  in_.clear();
  in_pos_ = 0;
}

void BlockingFile::write_all(std::string_view data, std::size_t& written) {
  std::optional<net::detail::SigpipeGuard> guard;
  if (!seekable) guard.emplace();
  while (written < data.size()) {
    const ssize_t count =
        ::write(fileno(), data.data() + written, std::min(data.size() - written, largest_step));
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      wait_until(fileno(), POLLOUT);
    } else if (errno != EINTR) {
      if (errno == EPIPE && guard) guard->broken();
      fail(errno, "write");
    }
  }
}

bool BlockingFile::buffer(std::string_view data) {
  if (data.size() > options.buffer_size - out_.size()) return false;
  drop_unread();
  out_ += data;
  return true;
}

// As BufferedWriter: what has room is kept; otherwise what is buffered goes first, and then data
// that is larger than the buffer goes at once.
void BlockingFile::write(std::string data) {
  if (buffer(data)) return;
  drop_unread();
  flush();
  if (buffer(data)) return;
  std::size_t written = 0;
  write_all(data, written);
}

void BlockingFile::flush() {
  if (out_.empty()) return;
  std::size_t written = 0;
  try {
    write_all(out_, written);
  } catch (...) {
    out_.erase(0, written);
    throw;
  }
  out_.clear();
}

void BlockingFile::sync(Sync how) {
  flush();
  if (how == Sync::all && ::fsync(fileno()) != 0) fail(errno, "fsync");
  if (how == Sync::data && ::fdatasync(fileno()) != 0) fail(errno, "fdatasync");
}

// ---- the position

std::int64_t BlockingFile::tell() const {
  const std::int64_t position = ::lseek(fileno(), 0, SEEK_CUR);
  if (position < 0) fail(errno, "tell");
  return position - static_cast<std::int64_t>(unread()) + static_cast<std::int64_t>(out_.size());
}

std::optional<std::int64_t> BlockingFile::seek_at_once(std::int64_t offset, int whence) {
  if (whence == SEEK_END || !seekable) return std::nullopt;
  if (const auto position = seek_in_buffer(offset, whence)) return position;
  if (!may_be_cached()) return std::nullopt;
  return seek(offset, whence);
}

std::optional<std::int64_t> BlockingFile::seek_in_buffer(std::int64_t offset, int whence) {
  if (in_.empty()) return std::nullopt;
  const std::int64_t end = ::lseek(fileno(), 0, SEEK_CUR);
  if (end < 0) fail(errno, "seek");
  const auto held = static_cast<std::int64_t>(in_.size());
  // Within the buffer's bytes, `offset` is small enough to be counted with.
  if (whence == SEEK_CUR) {
    const auto here = static_cast<std::int64_t>(in_pos_);
    if (offset < -here || offset > held - here) return std::nullopt;
    in_pos_ = static_cast<std::size_t>(here + offset);
  } else {
    if (offset < end - held || offset > end) return std::nullopt;
    in_pos_ = static_cast<std::size_t>(offset - (end - held));
  }
  return end - static_cast<std::int64_t>(unread());
}

std::int64_t BlockingFile::seek(std::int64_t offset, int whence) {
  flush();
  if (whence == SEEK_CUR) {
    const auto ahead = static_cast<std::int64_t>(unread());
    if (__builtin_sub_overflow(offset, ahead, &offset)) fail(EINVAL, "seek");
  }
  const std::int64_t position = ::lseek(fileno(), offset, whence);
  if (position < 0) fail(errno, "seek");
  in_.clear();
  in_pos_ = 0;
  return position;
}

std::int64_t BlockingFile::truncate(std::optional<std::int64_t> size) {
  flush();
  drop_unread();
  const std::int64_t wanted = size ? *size : tell();
  while (::ftruncate(fileno(), wanted) != 0) {
    if (errno != EINTR) fail(errno, "truncate");
  }
  return wanted;
}

std::int64_t BlockingFile::size() {
  flush();
  struct stat status{};
  if (::fstat(fileno(), &status) != 0) fail(errno, "stat");
  return status.st_size;
}

void BlockingFile::close() {
  // Taken out, so that the descriptor goes even if the last write fails.
  const auto end = [this] {
    const int fd = descriptor_.detach();
    out_.clear();
    return ::close(fd) == 0 || errno == EINTR ? 0 : errno;
  };
  try {
    flush();
  } catch (...) {
    end();
    throw;
  }
  if (const int error = end()) fail(error, "close");
}

}  // namespace brio::os::detail
