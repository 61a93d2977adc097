// Inside brio/os: a file with its buffer, by blocking system calls. What files.cpp runs in a
// thread.
//
// One thread at a time uses it. The calls marked "no wait" touch memory, do an lseek, which no
// disk is asked for, or copy from the page cache; they are fit for the loop's thread.
#pragma once

#include <brio/os/files.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::os::detail {

/// A mode such as "rb+", taken apart.
struct FileMode {
  /// Throws ValueError, with the texts of Python's open.
  static FileMode parse(const std::string& mode);
  /// For open(2), O_CLOEXEC included.
  [[nodiscard]] int flags() const noexcept;
  /// As Python's FileIO.mode.
  [[nodiscard]] std::string str() const;

  char kind = 'r';
  bool readable = false;
  bool writable = false;
};

/// Reads: `in_` ends where the descriptor's position is, and what is unread begins at `in_pos_`.
/// Writes: `out_` is what has not been written. One of the two is empty at any time.
class BlockingFile {
public:
  /// Takes over `descriptor`. Throws IsADirectoryError, UnsupportedOperation for "+" without seek.
  BlockingFile(Descriptor descriptor, FileMode mode, std::string name, OpenOptions options);
  BlockingFile(const BlockingFile&) = delete;
  BlockingFile& operator=(const BlockingFile&) = delete;
  /// Closes what is open; an error goes to the log.
  ~BlockingFile();

  /// open(2) and the constructor.
  static std::shared_ptr<BlockingFile> open(const std::string& path, FileMode mode,
                                            OpenOptions options);

  const FileMode mode;
  const std::string name;
  const OpenOptions options;
  const bool seekable;

  [[nodiscard]] int fileno() const noexcept { return descriptor_.fileno(); }

  /// Are `size` bytes there to be read? No wait.
  [[nodiscard]] bool holds(std::size_t size) const noexcept { return unread() >= size; }
  /// How much is there to be read. No wait.
  [[nodiscard]] std::size_t held() const noexcept { return unread(); }
  /// Is nothing left to be written? No wait.
  [[nodiscard]] bool flushed() const noexcept { return out_.empty(); }
  /// The length of the line that is there to be read whole; its first `from` bytes are known to
  /// have no end of line. No wait.
  [[nodiscard]] std::optional<std::size_t> line(std::optional<std::size_t> limit,
                                                std::size_t from = 0) const noexcept;
  /// Reads ahead until `size` bytes are held or the file has ended, from the page cache alone.
  /// False when more than at_once or something that is not in memory would be needed, or there is
  /// something to write: a thread goes on from there. No wait.
  [[nodiscard]] bool hold_cached(std::size_t size);
  /// The same until a line is held, as line() says.
  [[nodiscard]] bool hold_cached_line(std::optional<std::size_t> limit);
  /// Can hold_cached succeed?
  [[nodiscard]] bool may_be_cached() const noexcept { return cached_ && out_.empty(); }
  /// The most that is copied from the page cache in the loop's thread. A trip to another thread
  /// costs as much as copying this.
  static constexpr std::size_t at_once = 64UL * 1024;
  /// What is to be read next; `size` is at most what is held. No wait.
  [[nodiscard]] std::string_view peek(std::size_t size) const noexcept {
    return std::string_view(in_).substr(in_pos_, size);
  }
  /// Reads what is held. No wait.
  [[nodiscard]] std::string take(std::size_t size);
  void skip(std::size_t size) noexcept { in_pos_ += size; }
  /// Undoes a read. No wait.
  void put_back(std::string_view data);
  /// Takes `data` if the buffer has room; no wait.
  [[nodiscard]] bool buffer(std::string_view data);
  /// Moves within what is held or in a regular file, if that is possible; no wait.
  [[nodiscard]] std::optional<std::int64_t> seek_at_once(std::int64_t offset, int whence);
  /// No wait.
  [[nodiscard]] std::int64_t tell() const;

  [[nodiscard]] std::string read(std::optional<std::size_t> size);
  [[nodiscard]] std::string readline(std::optional<std::size_t> limit);
  void write(std::string data);
  void flush();
  void sync(Sync how);
  std::int64_t seek(std::int64_t offset, int whence);
  std::int64_t truncate(std::optional<std::int64_t> size);
  [[nodiscard]] std::int64_t size();
  /// Closed afterwards, whatever it throws.
  void close();

private:
  [[nodiscard]] std::size_t unread() const noexcept { return in_.size() - in_pos_; }
  std::optional<std::int64_t> seek_in_buffer(std::int64_t offset, int whence);
  [[nodiscard]] std::size_t likely() const;
  bool read_more(std::size_t size);
  enum class Cached : std::uint8_t { some, end, none };
  Cached read_cached(std::size_t size);
  void drop_unread();
  void write_all(std::string_view data, std::size_t& written);
  void check_max() const;
  [[noreturn]] void fail(int error_number, const char* operation) const;

  Descriptor descriptor_;
  std::string in_;
  std::size_t in_pos_ = 0;
  std::string out_;
  bool cached_ = false;  // a regular file whose page cache may be read without waiting
};

/// "open '/x'", for errors.
std::string about(const char* operation, const std::string& name);

/// write_file with `atomic`.
void replace_file(const std::string& path, std::string data, unsigned permissions);

}  // namespace brio::os::detail
