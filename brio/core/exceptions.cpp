#include <brio/core/exceptions.hpp>

#include <cerrno>
#include <cstdlib>
#include <cxxabi.h>
#include <utility>

namespace brio {

CancelledError::CancelledError(std::string message) : message_(std::move(message)) {}
CancelledError::CancelledError(detail::SharedText message) noexcept
    : message_(std::move(message)) {}
CancelledError::~CancelledError() = default;

std::optional<std::string> CancelledError::message() const { return message_.get(); }

const char* CancelledError::what() const noexcept { return message_.c_str(); }

SystemExit::SystemExit(int code, std::string message) : code_(code), message_(std::move(message)) {}
SystemExit::~SystemExit() = default;
KeyboardInterrupt::~KeyboardInterrupt() = default;

// Destructors out of line: they anchor each class's vtable and type_info in this library, so that
// a throw in one shared object is caught in another.
ValueError::~ValueError() = default;
TypeError::~TypeError() = default;
LookupError::~LookupError() = default;
KeyError::~KeyError() = default;
RuntimeError::~RuntimeError() = default;
InvalidStateError::~InvalidStateError() = default;
EOFError::~EOFError() = default;
QueueEmpty::~QueueEmpty() = default;
QueueFull::~QueueFull() = default;
QueueShutDown::~QueueShutDown() = default;
StopAsyncIteration::~StopAsyncIteration() = default;
BrokenBarrierError::~BrokenBarrierError() = default;
SendfileNotAvailableError::~SendfileNotAvailableError() = default;
IncompleteReadError::~IncompleteReadError() = default;
LimitOverrunError::~LimitOverrunError() = default;
OSError::~OSError() = default;
BlockingIOError::~BlockingIOError() = default;
ChildProcessError::~ChildProcessError() = default;
FileExistsError::~FileExistsError() = default;
FileNotFoundError::~FileNotFoundError() = default;
InterruptedError::~InterruptedError() = default;
IsADirectoryError::~IsADirectoryError() = default;
NotADirectoryError::~NotADirectoryError() = default;
PermissionError::~PermissionError() = default;
ProcessLookupError::~ProcessLookupError() = default;
ConnectionError::~ConnectionError() = default;
BrokenPipeError::~BrokenPipeError() = default;
ConnectionAbortedError::~ConnectionAbortedError() = default;
ConnectionRefusedError::~ConnectionRefusedError() = default;
ConnectionResetError::~ConnectionResetError() = default;
TimeoutError::~TimeoutError() = default;

IncompleteReadError::IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
    : EOFError(std::to_string(partial.size()) + " bytes read on a total of " +
               (expected ? std::to_string(*expected) : std::string("undefined")) +
               " expected bytes"),
      partial_(std::move(partial)),
      expected_(expected) {}

LimitOverrunError::LimitOverrunError(const std::string& text, std::size_t consumed)
    : std::runtime_error(text), consumed_(consumed) {}

OSError::OSError(int error_number, const std::string& operation)
    : OSError(std::error_code(error_number, std::generic_category()),
              operation + " failed: " + std::generic_category().message(error_number)) {}

OSError::OSError(std::error_code code, std::string whole_message)
    : std::system_error(code),
      text_(std::make_shared<const std::string>(std::move(whole_message))) {}

TimeoutError::TimeoutError() : TimeoutError(std::string()) {}
TimeoutError::TimeoutError(std::exception_ptr cause) : TimeoutError() { cause_ = std::move(cause); }
TimeoutError::TimeoutError(std::string message)
    : OSError(std::make_error_code(std::errc::timed_out), std::move(message)) {}
TimeoutError::TimeoutError(int error_number, const std::string& operation)
    : OSError(error_number, operation) {}

void throw_oserror(int error_number, const std::string& operation) {
  switch (error_number) {
    case EAGAIN:
    case EALREADY:
    case EINPROGRESS: throw BlockingIOError(error_number, operation);
    case ECHILD: throw ChildProcessError(error_number, operation);
    case EEXIST: throw FileExistsError(error_number, operation);
    case ENOENT: throw FileNotFoundError(error_number, operation);
    case EINTR: throw InterruptedError(error_number, operation);
    case EISDIR: throw IsADirectoryError(error_number, operation);
    case ENOTDIR: throw NotADirectoryError(error_number, operation);
    case EACCES:
    case EPERM: throw PermissionError(error_number, operation);
    case ESRCH: throw ProcessLookupError(error_number, operation);
    case EPIPE:
    case ESHUTDOWN: throw BrokenPipeError(error_number, operation);
    case ECONNABORTED: throw ConnectionAbortedError(error_number, operation);
    case ECONNREFUSED: throw ConnectionRefusedError(error_number, operation);
    case ECONNRESET: throw ConnectionResetError(error_number, operation);
    case ETIMEDOUT: throw TimeoutError(error_number, operation);
    default: throw OSError(error_number, operation);
  }
}

std::exception_ptr make_oserror(int error_number, const std::string& operation) {
  try {
    throw_oserror(error_number, operation);
  } catch (...) {
    return std::current_exception();
  }
}

namespace {
std::string demangled(const std::type_info* type) {
  if (type == nullptr) return "unknown";
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return status == 0 && text ? std::string(text.get()) : std::string(type->name());
}
}  // namespace

std::string describe(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const CancelledError& e) {
    return e.what();
  } catch (const SystemExit& e) {
    return e.what();
  } catch (const KeyboardInterrupt& e) {
    return e.what();
  } catch (const GeneratorExit& e) {
    return e.what();
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return demangled(abi::__cxa_current_exception_type());
  }
}

std::string type_name(const std::exception_ptr& error) {
  if (!error) return "none";
  return demangled(error.__cxa_exception_type());
}

}  // namespace brio
