#include <brio/os/files.hpp>

#include <brio/core/cancel_scope.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/sleep.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/os/blocking_file.hpp>
#include <brio/sync/lock.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace brio {

UnsupportedOperation::~UnsupportedOperation() = default;

namespace os::detail {

/// What the handle and its operations share; of the loop's thread. Threads have the BlockingFile
/// alone, each for its operation, so that nothing dies under one when the loop is closed.
class FileState {
public:
  explicit FileState(std::shared_ptr<BlockingFile> opened)
      : file(std::move(opened)), fileno(file->fileno()), debug(get_running_loop().get_debug()) {}
  FileState(const FileState&) = delete;
  FileState& operator=(const FileState&) = delete;
  ~FileState() { give_up(); }

  void check_open() const {
    if (closed) throw ValueError("I/O operation on closed file.");
  }
  void check_readable() const {
    check_open();
    if (!file->mode.readable) throw UnsupportedOperation("File not open for reading");
  }
  void check_writable() const {
    check_open();
    if (!file->mode.writable) throw UnsupportedOperation("File not open for writing");
  }

  std::shared_ptr<BlockingFile> file;
  // Whoever has it may use `file`; first come, first served.
  Lock lock;
  bool closed = false;
  const int fileno;
  const bool debug;

private:
  // Nobody can close it any more. Whoever drops the last reference does that, and had better be a
  // thread: there may be something to write.
  void give_up() noexcept {
    if (closed) return;
    if (debug) log(LogLevel::warning, "brio.os", "unclosed " + about("file", file->name));
    EventLoop* const loop = running_loop_or_null();
    if (!loop) return;
    try {
      brio::detail::default_executor(*loop).submit(
          [file = std::move(file)]() mutable { file.reset(); });
    } catch (const RuntimeError&) {
      // The executor was shut down: it is closed here.
    }
  }
};

namespace {

// Waits until a thread is done with `work`, whatever happens.
Coro<void> wait_out(concurrent::Future<void> work) {
  co_await shielded([&]() -> Coro<> {
    while (!work.done()) {
      const Future<> done = wrap_future(work);
      (void)co_await as_outcome(done);
    }
  });
}

// The one way to a thread: an engine that does files itself would come in here. Gives the
// cancellation that met `job` when it had begun, null for none. Throws the cancellation when it had
// not, and what the job throws.
template <class F>
Coro<std::exception_ptr> in_thread(F job) {
  Executor& pool = brio::detail::default_executor(get_running_loop());
  const concurrent::Future<void> work = pool.submit(std::move(job));
  const Future<> done = wrap_future(work);
  const Outcome<> outcome = co_await as_outcome(done);
  if (!outcome.cancelled()) {
    outcome.raise();
    co_return nullptr;
  }
  done.cancel();  // a cancelled scope ends the wait and leaves the future
  if (work.cancel()) outcome.raise();
  co_await wait_out(work);
  if (std::exception_ptr error = work.exception()) std::rethrow_exception(error);
  co_return outcome.error();
}

// in_thread for what need not be undone.
template <class F>
Coro<void> do_in_thread(F job) {
  if (std::exception_ptr cancelled = co_await in_thread(std::move(job)))
    std::rethrow_exception(cancelled);
}

// A read in a thread; what a cancelled one has read goes back. `read` is called with the file.
template <class F>
Coro<std::string> read_in_thread(FileState& state, F read) {
  const auto result = std::make_shared<std::string>();
  const std::exception_ptr cancelled =
      co_await in_thread([file = state.file, result, read] { *result = read(*file); });
  if (cancelled) {
    state.file->put_back(*result);
    std::rethrow_exception(cancelled);
  }
  co_return std::move(*result);
}

// Before the loop's thread reads from the page cache: other tasks have their turn, as they would
// if a thread did it, and a cancellation is met. True if it is worth trying.
Coro<bool> turn_to_cached(FileState& state) {
  if (!state.file->may_be_cached()) co_return false;
  co_await sleep(Duration::zero());
  co_return true;
}

Coro<std::string> read_line(FileState& state, std::optional<std::size_t> limit) {
  auto length = state.file->line(limit);
  if (!length) {
    const bool cached = co_await turn_to_cached(state);
    if (cached && state.file->hold_cached_line(limit)) {
      length = state.file->line(limit);
      if (!length) length = state.file->held();  // the last one
    }
  }
  // A line that breaks max_read is for the thread to refuse.
  if (length &&
      (limit || !state.file->options.max_read || *length <= *state.file->options.max_read))
    co_return state.file->take(*length);
  co_return co_await read_in_thread(state,
                                    [limit](BlockingFile& file) { return file.readline(limit); });
}

// Are `size` bytes held, or all that there are, without a thread?
Coro<bool> hold(FileState& state, std::size_t size) {
  if (state.file->holds(size)) co_return true;
  if (size > BlockingFile::at_once) co_return false;
  const bool cached = co_await turn_to_cached(state);
  co_return cached&& state.file->hold_cached(size);
}

// A number computed in a thread.
template <class F>
Coro<std::int64_t> number_in_thread(FileState& state, F compute) {
  const auto result = std::make_shared<std::int64_t>();
  co_await do_in_thread([file = state.file, result, compute] { *result = compute(*file); });
  co_return *result;
}

OpenOptions checked(const std::string& path, OpenOptions options) {
  if (options.buffer_size == 0) throw ValueError("buffer size must be strictly positive");
  if (path.find('\0') != path.npos) throw ValueError("embedded null byte");
  return options;
}

}  // namespace

Coro<std::string> file_read(FileRef file, std::optional<std::size_t> size) {
  const auto held = co_await file->lock.scoped();
  file->check_readable();
  if (size) {
    const bool held_enough = co_await hold(*file, *size);
    if (held_enough) co_return file->file->take(std::min(*size, file->file->held()));
  }
  co_return co_await read_in_thread(*file,
                                    [size](BlockingFile& blocking) { return blocking.read(size); });
}

Coro<std::size_t> file_readinto(FileRef file, std::span<char> buffer) {
  const auto held = co_await file->lock.scoped();
  file->check_readable();
  const std::size_t size = buffer.size();
  if (co_await hold(*file, size)) {
    const std::size_t count = std::min(size, file->file->held());
    std::memcpy(buffer.data(), file->file->peek(count).data(), count);
    file->file->skip(count);
    co_return count;
  }
  // Not into `buffer` directly: the thread may outlive it when the loop is closed.
  const std::string data = co_await read_in_thread(
      *file, [size](BlockingFile& blocking) { return blocking.read(size); });
  std::memcpy(buffer.data(), data.data(), data.size());
  co_return data.size();
}

Coro<std::string> file_readline(FileRef file, std::optional<std::size_t> limit) {
  const auto held = co_await file->lock.scoped();
  file->check_readable();
  co_return co_await read_line(*file, limit);
}

Coro<std::optional<std::string>> file_next(FileRef file) {
  const auto held = co_await file->lock.scoped();
  file->check_readable();
  std::string line = co_await read_line(*file, std::nullopt);
  if (line.empty()) co_return std::nullopt;
  co_return line;
}

Coro<std::size_t> file_write(FileRef file, std::string data) {
  const auto held = co_await file->lock.scoped();
  file->check_writable();
  const std::size_t size = data.size();
  if (!file->file->buffer(data)) {
    co_await do_in_thread([blocking = file->file, data = std::move(data)]() mutable {
      blocking->write(std::move(data));
    });
  }
  co_return size;
}

Coro<void> file_writelines(FileRef file, std::vector<std::string> lines) {
  const auto held = co_await file->lock.scoped();
  file->check_writable();
  co_await do_in_thread([blocking = file->file, lines = std::move(lines)]() mutable {
    for (std::string& line : lines) blocking->write(std::move(line));
  });
}

Coro<std::int64_t> file_seek(FileRef file, std::int64_t offset, int whence) {
  const auto held = co_await file->lock.scoped();
  file->check_open();
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
    throw ValueError("whence value " + std::to_string(whence) + " unsupported");
  if (const auto position = file->file->seek_at_once(offset, whence)) co_return *position;
  co_return co_await number_in_thread(
      *file, [offset, whence](BlockingFile& blocking) { return blocking.seek(offset, whence); });
}

Coro<std::int64_t> file_tell(FileRef file) {
  const auto held = co_await file->lock.scoped();
  file->check_open();
  co_return file->file->tell();
}

Coro<std::int64_t> file_truncate(FileRef file, std::optional<std::int64_t> size) {
  const auto held = co_await file->lock.scoped();
  file->check_writable();
  co_return co_await number_in_thread(
      *file, [size](BlockingFile& blocking) { return blocking.truncate(size); });
}

Coro<std::int64_t> file_size(FileRef file) {
  const auto held = co_await file->lock.scoped();
  file->check_open();
  co_return co_await number_in_thread(*file,
                                      [](BlockingFile& blocking) { return blocking.size(); });
}

Coro<void> file_flush(FileRef file, Sync sync) {
  const auto held = co_await file->lock.scoped();
  file->check_open();
  if (sync == Sync::none && file->file->flushed()) co_return;
  co_await do_in_thread([blocking = file->file, sync] { blocking->sync(sync); });
}

namespace {

// The file's turn, and then its end, in spite of cancellations: the first one is kept.
Coro<void> close_in_turn(FileState& state, std::exception_ptr& cancelled) {
  const auto keep = [&cancelled](const std::exception_ptr& error) {
    if (!cancelled) cancelled = error;
  };
  Held<Lock> held;
  while (!held) {
    auto turn = co_await as_outcome(state.lock.scoped());
    if (turn.has_value())
      held = std::move(turn).value();
    else
      keep(turn.error());
  }
  if (state.closed) co_return;
  state.closed = true;
  while (true) {
    const auto close = [file = state.file] { file->close(); };
    if (get_running_loop().executor_shutdown_called()) {
      close();
      co_return;
    }
    const auto outcome = co_await as_outcome(in_thread(close));
    if (outcome.cancelled()) {
      keep(outcome.error());  // it had not begun
      continue;
    }
    if (const std::exception_ptr& late = outcome.value()) keep(late);
    co_return;
  }
}

}  // namespace

Coro<void> file_close(FileRef file) {
  if (file->closed && !file->lock.locked()) co_return;
  std::exception_ptr cancelled;
  co_await shielded([&]() -> Coro<> { co_await close_in_turn(*file, cancelled); });
  if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace os::detail

using os::detail::BlockingFile;
using os::detail::FileMode;
using os::detail::FileState;

bool File::closed() const noexcept { return !state_ || state_->closed; }

const os::detail::FileRef& File::state() const {
  if (!state_) throw ValueError("I/O operation on a file that was never opened, or moved away");
  return state_;
}

int File::fileno() const {
  state()->check_open();
  return state_->fileno;
}

const std::string& File::name() const { return state()->file->name; }
std::string File::mode() const { return state()->file->mode.str(); }
bool File::readable() const { return state()->file->mode.readable; }
bool File::writable() const { return state()->file->mode.writable; }
bool File::seekable() const { return state()->file->seekable; }

Coro<File> open(std::string path, std::string mode, OpenOptions options) {
  const FileMode parsed = FileMode::parse(mode);
  options = os::detail::checked(path, options);
  // Whoever drops the last reference closes: the thread, if we are no longer there.
  const auto opened = std::make_shared<std::shared_ptr<BlockingFile>>();
  co_await os::detail::do_in_thread([opened, path = std::move(path), parsed, options] {
    *opened = BlockingFile::open(path, parsed, options);
  });
  co_return File(std::make_shared<FileState>(std::move(*opened)));
}

Coro<File> open(os::Descriptor descriptor, std::string mode, OpenOptions options) {
  const FileMode parsed = FileMode::parse(mode);
  options = os::detail::checked("", options);
  std::string name = std::to_string(descriptor.fileno());
  co_return File(std::make_shared<FileState>(
      std::make_shared<BlockingFile>(std::move(descriptor), parsed, std::move(name), options)));
}

Coro<File> ScopedFile::enter() {
  File file = co_await open(path_, mode_, options_);
  opened_ = file.state();
  co_return file;
}

Coro<void> ScopedFile::exit(std::exception_ptr) { co_await os::detail::file_close(opened_); }

ScopedFile open_scoped(std::string path, std::string mode, OpenOptions options) {
  return {std::move(path), std::move(mode), options};
}

Coro<std::string> read_file(std::string path, ReadFileOptions options) {
  const OpenOptions how = os::detail::checked(path, {.max_read = options.max_size});
  const auto result = std::make_shared<std::string>();
  co_await os::detail::do_in_thread([result, path = std::move(path), how] {
    *result = BlockingFile::open(path, FileMode::parse("r"), how)->read(std::nullopt);
  });
  co_return std::move(*result);
}

Coro<std::size_t> write_file(std::string path, std::string data, WriteFileOptions options) {
  const OpenOptions how = os::detail::checked(path, {.permissions = options.permissions});
  const std::size_t size = data.size();
  co_await os::detail::do_in_thread(
      [path = std::move(path), data = std::move(data), atomic = options.atomic, how]() mutable {
        if (atomic) {
          os::detail::replace_file(path, std::move(data), how.permissions);
        } else {
          const auto file = BlockingFile::open(path, FileMode::parse("w"), how);
          file->write(std::move(data));
          file->close();
        }
      });
  co_return size;
}

}  // namespace brio
