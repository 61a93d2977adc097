// Files without blocking the loop: open, File, read_file, write_file.
//
//     auto file = co_await brio::open("/etc/hosts");
//     while (auto line = co_await file.next()) …
//     co_await file.close();
//
// Bytes only, as with Python's "rb" and "wb". What the buffer can answer is answered at once, a
// read of at most 64 KiB that the page cache can answer after a turn of the loop; the rest is done
// in a thread of the loop's default executor.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/os/descriptor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>  // SEEK_SET, SEEK_CUR, SEEK_END
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace brio {

/// The file was not opened for this: a write to one that is only read, a read of one that is only
/// written, "+" with what cannot seek (io.UnsupportedOperation).
class BRIO_API UnsupportedOperation : public ValueError {
public:
  using ValueError::ValueError;
  UnsupportedOperation(const UnsupportedOperation&) = default;
  UnsupportedOperation& operator=(const UnsupportedOperation&) = default;
  ~UnsupportedOperation() override;
};

/// How open goes about it.
struct OpenOptions {
  /// Bytes of the buffer, for reading and for writing. At least 1.
  std::size_t buffer_size = 64 * 1024;
  /// The permissions of a file that is created, before the umask.
  unsigned permissions = 0666;
  /// The most that read() without a count, and readline() without a limit, may give: ValueError for
  /// more, and what was read stays for the next read. Null: as much as there is.
  std::optional<std::size_t> max_read = std::nullopt;
};

class File;

namespace os::detail {

class FileState;
using FileRef = std::shared_ptr<FileState>;

BRIO_API Coro<std::string> file_read(FileRef file, std::optional<std::size_t> size);
BRIO_API Coro<std::size_t> file_readinto(FileRef file, std::span<char> buffer);
BRIO_API Coro<std::string> file_readline(FileRef file, std::optional<std::size_t> limit);
BRIO_API Coro<std::optional<std::string>> file_next(FileRef file);
BRIO_API Coro<std::size_t> file_write(FileRef file, std::string data);
BRIO_API Coro<void> file_writelines(FileRef file, std::vector<std::string> lines);
BRIO_API Coro<std::int64_t> file_seek(FileRef file, std::int64_t offset, int whence);
BRIO_API Coro<std::int64_t> file_tell(FileRef file);
BRIO_API Coro<std::int64_t> file_truncate(FileRef file, std::optional<std::int64_t> size);
BRIO_API Coro<std::int64_t> file_size(FileRef file);
enum class Sync : std::uint8_t { none, data, all };
BRIO_API Coro<void> file_flush(FileRef file, Sync sync);
BRIO_API Coro<void> file_close(FileRef file);

/// Python's convention: a negative count is no count.
template <std::integral N>
constexpr std::optional<std::size_t> count_of(N n) noexcept {
  if constexpr (std::signed_integral<N>) {
    if (n < 0) return std::nullopt;
  }
  return static_cast<std::size_t>(n);
}

}  // namespace os::detail

/// An open file (what Python's open gives for a binary mode; aiofiles). Move-only.
///
/// Operations on one file are done one after the other, in the order in which they were awaited;
/// several tasks may use it. Every one throws OSError that names operation and path, ValueError
/// when the file is closed, UnsupportedOperation when it was not opened for that.
///
/// Cancellation: an operation that has not begun is not done. One that a thread has begun cannot
/// be stopped: the await ends when the thread is done, with CancelledError, or with the error that
/// the operation met. What a cancelled read has read stays for the next one, and the position is
/// as if it had not been; a cancelled write or seek that had begun has been done. A thread that
/// waits for a FIFO's, terminal's or device's other side waits as long as that takes, cancelled or
/// not: use connect_read_pipe and connect_write_pipe for those.
///
/// Close it. One that is destroyed open writes its buffer and closes in a thread, reports an error
/// of that to the log, and warns in debug mode.
class BRIO_API File {
public:
  File() noexcept = default;

  /// Everything up to the end. See OpenOptions::max_read.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> read() const {
    return os::detail::file_read(state(), std::nullopt);
  }
  /// `n` bytes, fewer only at the end of the file, "" when it is reached; a negative `n` reads to
  /// the end.
  template <std::integral N>
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> read(N n) const {
    return os::detail::file_read(state(), os::detail::count_of(n));
  }
  /// Fills `buffer`, which must live until then, and gives the count: less than its size only at
  /// the end of the file.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::size_t> readinto(std::span<char> buffer) const {
    return os::detail::file_readinto(state(), buffer);
  }
  /// A line with its "\n"; the last one may lack it; "" at the end. See OpenOptions::max_read.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readline() const {
    return os::detail::file_readline(state(), std::nullopt);
  }
  /// The same, of a longer line its next `limit` bytes. A negative `limit` is none.
  template <std::integral N>
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readline(N limit) const {
    return os::detail::file_readline(state(), os::detail::count_of(limit));
  }
  /// The lines, one by one: `while (auto line = co_await file.next())` (Python's `async for`).
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::optional<std::string>> next() const {
    return os::detail::file_next(state());
  }

  /// Writes all of `data`, into the buffer as long as it has room, and gives its size. An error of
  /// writing what was buffered before is thrown here, and then nothing of `data` was taken.
  BRIO_CORO_WRAPPER Coro<std::size_t> write(std::string data) const {
    return os::detail::file_write(state(), std::move(data));
  }
  /// Writes one after the other, with no other task's writes between; adds no line ends.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> writelines(std::vector<std::string> lines) const {
    return os::detail::file_writelines(state(), std::move(lines));
  }
  /// Writes what is buffered. What could not be written stays buffered when that fails.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> flush() const {
    return os::detail::file_flush(state(), os::detail::Sync::none);
  }
  /// flush(), then fsync(2): the file is on the disk (Python's os.fsync, which does not flush).
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> fsync() const {
    return os::detail::file_flush(state(), os::detail::Sync::all);
  }
  /// flush(), then fdatasync(2).
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> fdatasync() const {
    return os::detail::file_flush(state(), os::detail::Sync::data);
  }

  /// Moves to `offset` from the start (SEEK_SET), from here (SEEK_CUR) or from the end (SEEK_END)
  /// and gives the position; buffered writes are written first. ValueError for another `whence`.
  BRIO_CORO_WRAPPER Coro<std::int64_t> seek(std::int64_t offset, int whence = SEEK_SET) const {
    return os::detail::file_seek(state(), offset, whence);
  }
  /// The position, buffered writes included.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::int64_t> tell() const {
    return os::detail::file_tell(state());
  }
  /// Makes the file `size` bytes long, by default as long as the position, which stays where it
  /// is. Gives the size.
  BRIO_CORO_WRAPPER Coro<std::int64_t> truncate(
      std::optional<std::int64_t> size = std::nullopt) const {
    return os::detail::file_truncate(state(), size);
  }
  /// How many bytes the file has, buffered writes included (they are written first).
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::int64_t> size() const {
    return os::detail::file_size(state());
  }

  /// Writes what is buffered and closes; harmless when it is closed already. Whatever is thrown,
  /// the file is closed then. A cancellation, of a scope too, does not keep it from being closed;
  /// Task::cancel is thrown afterwards.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> close() const {
    return os::detail::file_close(state());
  }
  /// Has close() begun its work, or is there no file?
  [[nodiscard]] bool closed() const noexcept;
  /// The descriptor; its position runs ahead of the file's, because of the buffer. Throws
  /// ValueError when closed.
  [[nodiscard]] int fileno() const;
  /// What open was given: the path, or the descriptor's number.
  [[nodiscard]] const std::string& name() const;
  /// The mode as Python shows it: "rb", "rb+", "wb", "ab", "xb" and so on; "wb+" is shown as "rb+".
  [[nodiscard]] std::string mode() const;
  /// Was it opened for reading?
  [[nodiscard]] bool readable() const;
  /// Was it opened for writing?
  [[nodiscard]] bool writable() const;
  /// Can it seek? Not so pipes, FIFOs and terminals.
  [[nodiscard]] bool seekable() const;

  explicit File(os::detail::FileRef state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] const os::detail::FileRef& state() const;

private:
  os::detail::FileRef state_;
};

/// Opens a file (Python's open, with a binary mode), close-on-exec. `mode` is one of "r", "w"
/// (empties it), "a" (writes at its end) and "x" (must not exist), with "+" for both directions;
/// "b" may be there, "t" is refused: decode yourself.
///
/// Throws FileNotFoundError, PermissionError, IsADirectoryError, FileExistsError or another OSError
/// ("open '/x' failed: No such file or directory"), ValueError for a bad mode. Cancellation waits
/// until the thread is done and then closes what it has opened; a FIFO is opened when its other end
/// is.
BRIO_API Coro<File> open(std::string path, std::string mode = "r", OpenOptions options = {});
/// The same for an open descriptor, which from now on belongs to the file (open(fd, mode)).
BRIO_API Coro<File> open(os::Descriptor descriptor, std::string mode = "r",
                         OpenOptions options = {});

/// What open_scoped gives: opens at entry, closes at exit.
class BRIO_API ScopedFile {
public:
  ScopedFile(std::string path, std::string mode, OpenOptions options)
      : path_(std::move(path)), mode_(std::move(mode)), options_(options) {}
  /// Opens; see open.
  [[nodiscard]] Coro<File> enter();
  /// Closes; see File::close. An error of the body goes on, unless closing has one of its own.
  [[nodiscard]] Coro<void> exit(std::exception_ptr error);

private:
  std::string path_;
  std::string mode_;
  OpenOptions options_;
  os::detail::FileRef opened_;
};

/// For with (async with aiofiles.open(…) as file):
///
///     co_await brio::with(brio::open_scoped(path, "w"), [](brio::File& file) -> brio::Coro<> { …
///     });
[[nodiscard]] BRIO_API ScopedFile open_scoped(std::string path, std::string mode = "r",
                                              OpenOptions options = {});

/// How read_file reads.
struct ReadFileOptions {
  /// ValueError when there is more. Null: as much as there is.
  std::optional<std::size_t> max_size = std::nullopt;
};

/// The whole file, in one trip to a thread (pathlib.Path.read_bytes). Throws OSError. Cancellation:
/// as for File.
BRIO_API Coro<std::string> read_file(std::string path, ReadFileOptions options = {});

/// How write_file writes.
struct WriteFileOptions {
  /// Writes a new file beside the old one, syncs it and renames it: whoever reads `path` finds the
  /// old content or the new, also after a crash. Keeps the permissions of the file it replaces; a
  /// symbolic link is replaced itself.
  bool atomic = false;
  /// The permissions of a file that is created, before the umask.
  unsigned permissions = 0666;
};

/// Makes `data` the file's content (pathlib.Path.write_bytes), in one trip to a thread; gives its
/// size. Throws OSError; with `atomic` the old content is untouched then, and no temporary file is
/// left. Cancellation: as for File.
BRIO_API Coro<std::size_t> write_file(std::string path, std::string data,
                                      WriteFileOptions options = {});

}  // namespace brio
