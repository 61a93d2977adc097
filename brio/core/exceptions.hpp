// brio's exceptions: what Python derives from Exception derives from std::exception; the
// cancellation and the fatal family do not, so that `catch (const std::exception&)` in user code
// can never swallow a cancellation or an interrupt.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/shared_text.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace brio {

/// A task's cancellation on its way through the stack (asyncio.CancelledError, a BaseException).
///
/// Thrown by the await at which a cancelled task waits. Not a std::exception: catch it by name, do
/// what must be done, and let it go on (`throw;`), or answer for it with Task::uncancel.
class BRIO_API CancelledError {
public:
  CancelledError() noexcept = default;
  /// `message` is what Task::cancel(message) was given.
  explicit CancelledError(std::string message);
  explicit CancelledError(detail::SharedText message) noexcept;
  ~CancelledError();
  CancelledError(const CancelledError&) noexcept = default;
  CancelledError& operator=(const CancelledError&) noexcept = default;

  /// The message of the cancel call, or nothing.
  [[nodiscard]] std::optional<std::string> message() const;
  /// The message, or "" where none was given; valid as long as this error.
  [[nodiscard]] const char* what() const noexcept;

private:
  detail::SharedText message_;
};

/// Ends the program with `code` (Python's SystemExit). Leaves the loop at once.
class BRIO_API SystemExit {
public:
  explicit SystemExit(int code = 0) noexcept : code_(code) {}
  SystemExit(int code, std::string message);
  virtual ~SystemExit();
  SystemExit(const SystemExit&) = default;
  SystemExit& operator=(const SystemExit&) = default;
  /// The exit status of the process.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] const char* what() const noexcept { return message_.c_str(); }

private:
  int code_;
  std::string message_;
};

/// SIGINT, as Python raises it. Leaves the loop at once; an uncaught one exits with 130.
class BRIO_API KeyboardInterrupt {
public:
  KeyboardInterrupt() = default;
  virtual ~KeyboardInterrupt();
  KeyboardInterrupt(const KeyboardInterrupt&) = default;
  KeyboardInterrupt& operator=(const KeyboardInterrupt&) = default;
  [[nodiscard]] const char* what() const noexcept { return "KeyboardInterrupt"; }
};

/// Thrown at the co_yield of an AsyncGenerator that is being closed (Python's GeneratorExit).
class BRIO_API GeneratorExit {
public:
  [[nodiscard]] const char* what() const noexcept { return "GeneratorExit"; }
};

// One line per class that only has a name of its own: the message comes from the base.
#define BRIO_DECLARE_ERROR(Name, Base)      \
  class BRIO_API Name : public Base {       \
    using Super = Base;                     \
                                            \
  public:                                   \
    using Super::Super;                     \
    Name(const Name&) = default;            \
    Name& operator=(const Name&) = default; \
    ~Name() override;                       \
  }

/// An argument of the right type with a wrong value (ValueError).
BRIO_DECLARE_ERROR(ValueError, std::invalid_argument);
/// An argument of a type that cannot be used here (TypeError).
BRIO_DECLARE_ERROR(TypeError, std::invalid_argument);
/// Something looked up is not there (LookupError, KeyError).
BRIO_DECLARE_ERROR(LookupError, std::out_of_range);
BRIO_DECLARE_ERROR(KeyError, LookupError);
/// Misuse found while running (RuntimeError).
BRIO_DECLARE_ERROR(RuntimeError, std::runtime_error);
/// The future or task is not in a state that allows this (asyncio.InvalidStateError).
BRIO_DECLARE_ERROR(InvalidStateError, std::logic_error);
/// End of input where there should have been more (EOFError).
BRIO_DECLARE_ERROR(EOFError, std::runtime_error);

/// Queue::get_nowait on an empty queue (asyncio.QueueEmpty).
class BRIO_API QueueEmpty : public std::runtime_error {
public:
  QueueEmpty() : std::runtime_error("") {}
  explicit QueueEmpty(const std::string& text) : std::runtime_error(text) {}
  QueueEmpty(const QueueEmpty&) = default;
  QueueEmpty& operator=(const QueueEmpty&) = default;
  ~QueueEmpty() override;
};
/// Queue::put_nowait on a full queue (asyncio.QueueFull).
class BRIO_API QueueFull : public std::runtime_error {
public:
  QueueFull() : std::runtime_error("") {}
  explicit QueueFull(const std::string& text) : std::runtime_error(text) {}
  QueueFull(const QueueFull&) = default;
  QueueFull& operator=(const QueueFull&) = default;
  ~QueueFull() override;
};
/// put or get on a queue that was shut down (asyncio.QueueShutDown).
class BRIO_API QueueShutDown : public std::runtime_error {
public:
  QueueShutDown() : std::runtime_error("") {}
  explicit QueueShutDown(const std::string& text) : std::runtime_error(text) {}
  QueueShutDown(const QueueShutDown&) = default;
  QueueShutDown& operator=(const QueueShutDown&) = default;
  ~QueueShutDown() override;
};
/// An async generator or iteration has ended (StopAsyncIteration).
class BRIO_API StopAsyncIteration : public std::runtime_error {
public:
  StopAsyncIteration() : std::runtime_error("") {}
  explicit StopAsyncIteration(const std::string& text) : std::runtime_error(text) {}
  StopAsyncIteration(const StopAsyncIteration&) = default;
  StopAsyncIteration& operator=(const StopAsyncIteration&) = default;
  ~StopAsyncIteration() override;
};

/// The barrier was reset or aborted under its waiters (asyncio.BrokenBarrierError).
BRIO_DECLARE_ERROR(BrokenBarrierError, RuntimeError);
/// The platform or the transport cannot sendfile (asyncio.SendfileNotAvailableError).
BRIO_DECLARE_ERROR(SendfileNotAvailableError, RuntimeError);

/// EOF before the bytes that were asked for (asyncio.IncompleteReadError).
class BRIO_API IncompleteReadError : public EOFError {
public:
  /// `partial` is what did arrive; `expected` the count asked for, nothing where unknown.
  IncompleteReadError(std::string partial, std::optional<std::size_t> expected);
  IncompleteReadError(const IncompleteReadError&) = default;
  IncompleteReadError& operator=(const IncompleteReadError&) = default;
  ~IncompleteReadError() override;
  /// The bytes that did arrive.
  [[nodiscard]] const std::string& partial() const noexcept { return partial_; }
  /// How many were asked for; nothing where that is not known.
  [[nodiscard]] std::optional<std::size_t> expected() const noexcept { return expected_; }

private:
  std::string partial_;
  std::optional<std::size_t> expected_;
};

/// The separator was not found within the buffer limit (asyncio.LimitOverrunError).
class BRIO_API LimitOverrunError : public std::runtime_error {
public:
  LimitOverrunError(const std::string& text, std::size_t consumed);
  LimitOverrunError(const LimitOverrunError&) = default;
  LimitOverrunError& operator=(const LimitOverrunError&) = default;
  ~LimitOverrunError() override;
  /// How many bytes of the buffer can be skipped without losing a separator.
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

private:
  std::size_t consumed_;
};

/// A failed system call (OSError). code().value() is errno; what() names operation and peer, for
/// example "connect to 127.0.0.1:9 failed: Connection refused".
class BRIO_API OSError : public std::system_error {
public:
  /// `operation` is "connect to 127.0.0.1:9"; " failed: <text of errno>" is added.
  OSError(int error_number, const std::string& operation);
  OSError(std::error_code code, std::string whole_message);
  OSError(const OSError&) = default;
  OSError& operator=(const OSError&) = default;
  ~OSError() override;
  /// errno.
  [[nodiscard]] int error_number() const noexcept { return code().value(); }
  [[nodiscard]] const char* what() const noexcept override { return text_->c_str(); }

private:
  std::shared_ptr<const std::string> text_;
};

/// EAGAIN, EALREADY, EINPROGRESS.
BRIO_DECLARE_ERROR(BlockingIOError, OSError);
/// ECHILD.
BRIO_DECLARE_ERROR(ChildProcessError, OSError);
/// EEXIST.
BRIO_DECLARE_ERROR(FileExistsError, OSError);
/// ENOENT.
BRIO_DECLARE_ERROR(FileNotFoundError, OSError);
/// EINTR.
BRIO_DECLARE_ERROR(InterruptedError, OSError);
/// EISDIR.
BRIO_DECLARE_ERROR(IsADirectoryError, OSError);
/// ENOTDIR.
BRIO_DECLARE_ERROR(NotADirectoryError, OSError);
/// EACCES, EPERM.
BRIO_DECLARE_ERROR(PermissionError, OSError);
/// ESRCH.
BRIO_DECLARE_ERROR(ProcessLookupError, OSError);
/// What the connection errors have in common.
BRIO_DECLARE_ERROR(ConnectionError, OSError);
/// EPIPE, ESHUTDOWN.
BRIO_DECLARE_ERROR(BrokenPipeError, ConnectionError);
/// ECONNABORTED.
BRIO_DECLARE_ERROR(ConnectionAbortedError, ConnectionError);
/// ECONNREFUSED.
BRIO_DECLARE_ERROR(ConnectionRefusedError, ConnectionError);
/// ECONNRESET.
BRIO_DECLARE_ERROR(ConnectionResetError, ConnectionError);
#undef BRIO_DECLARE_ERROR

/// A deadline passed (TimeoutError; asyncio.TimeoutError is the same class). An OSError with
/// ETIMEDOUT, as in Python.
class BRIO_API TimeoutError : public OSError {
public:
  TimeoutError();
  explicit TimeoutError(std::string message);
  TimeoutError(int error_number, const std::string& operation);
  /// Raised because of another error (raise TimeoutError from cause).
  explicit TimeoutError(std::exception_ptr cause);
  TimeoutError(const TimeoutError&) = default;
  TimeoutError& operator=(const TimeoutError&) = default;
  ~TimeoutError() override;
  /// The CancelledError that a deadline of timeout or wait_for brought into the block; null for
  /// other time-outs (__cause__).
  [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

private:
  std::exception_ptr cause_;
};

/// Throws the OSError subclass that fits `error_number`, as Python does (ECONNREFUSED →
/// ConnectionRefusedError, …). `operation` is put before " failed: <text>".
[[noreturn]] BRIO_API void throw_oserror(int error_number, const std::string& operation);
/// The same error as an exception_ptr, without a throw reaching the caller.
[[nodiscard]] BRIO_API std::exception_ptr make_oserror(int error_number,
                                                       const std::string& operation);

/// What an exception says of itself: what() of the known families, the demangled type otherwise.
[[nodiscard]] BRIO_API std::string describe(const std::exception_ptr& error);
/// The demangled type name of the exception inside, "none" for a null pointer.
[[nodiscard]] BRIO_API std::string type_name(const std::exception_ptr& error);

}  // namespace brio
