#include <brio/core/exceptions.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

template <class Error>
bool raises(int error_number) {
  try {
    brio::throw_oserror(error_number, "probe");
  } catch (const Error&) {
    return true;
  } catch (const brio::OSError&) {
    return false;
  }
}

template <class Base, class... Errors>
constexpr bool all_derive_from = (std::is_base_of_v<Base, Errors> && ...);

}  // namespace

TEST_CASE("what Python derives from BaseException cannot be swallowed as std::exception") {
  static_assert(!std::is_base_of_v<std::exception, brio::CancelledError>);
  static_assert(!std::is_base_of_v<std::exception, brio::KeyboardInterrupt>);
  static_assert(!std::is_base_of_v<std::exception, brio::SystemExit>);
  static_assert(!std::is_base_of_v<std::exception, brio::GeneratorExit>);

  bool swallowed = false;
  bool cancelled = false;
  try {
    try {
      throw brio::CancelledError("stop");
    } catch (const std::exception&) {
      swallowed = true;
    }
  } catch (const brio::CancelledError& error) {
    cancelled = error.message() == "stop";
  }
  CHECK_FALSE(swallowed);
  CHECK(cancelled);
}

TEST_CASE("each error has the standard base that the design gives it") {
  static_assert(std::is_base_of_v<std::invalid_argument, brio::ValueError>);
  static_assert(std::is_base_of_v<std::runtime_error, brio::RuntimeError>);
  static_assert(std::is_base_of_v<std::logic_error, brio::InvalidStateError>);
  static_assert(std::is_base_of_v<std::system_error, brio::OSError>);
  static_assert(std::is_base_of_v<brio::LookupError, brio::KeyError>);
  static_assert(std::is_base_of_v<brio::RuntimeError, brio::BrokenBarrierError>);
  static_assert(std::is_base_of_v<brio::EOFError, brio::IncompleteReadError>);
  static_assert(
      all_derive_from<brio::OSError, brio::BlockingIOError, brio::ChildProcessError,
                      brio::ConnectionError, brio::FileExistsError, brio::FileNotFoundError,
                      brio::InterruptedError, brio::IsADirectoryError, brio::NotADirectoryError,
                      brio::PermissionError, brio::ProcessLookupError, brio::TimeoutError>);
  static_assert(
      all_derive_from<brio::ConnectionError, brio::BrokenPipeError, brio::ConnectionAbortedError,
                      brio::ConnectionRefusedError, brio::ConnectionResetError>);
}

TEST_CASE("a cancellation without a message says so") {
  const brio::CancelledError plain;
  CHECK_FALSE(plain.message().has_value());
  CHECK(std::string(plain.what()) == "");
  const brio::CancelledError empty{std::string()};
  CHECK(empty.message() == "");
}

TEST_CASE("throw_oserror picks the class that Python picks") {
  CHECK(raises<brio::BlockingIOError>(EAGAIN));
  CHECK(raises<brio::BlockingIOError>(EALREADY));
  CHECK(raises<brio::BlockingIOError>(EINPROGRESS));
  CHECK(raises<brio::ChildProcessError>(ECHILD));
  CHECK(raises<brio::FileExistsError>(EEXIST));
  CHECK(raises<brio::FileNotFoundError>(ENOENT));
  CHECK(raises<brio::InterruptedError>(EINTR));
  CHECK(raises<brio::IsADirectoryError>(EISDIR));
  CHECK(raises<brio::NotADirectoryError>(ENOTDIR));
  CHECK(raises<brio::PermissionError>(EACCES));
  CHECK(raises<brio::PermissionError>(EPERM));
  CHECK(raises<brio::ProcessLookupError>(ESRCH));
  CHECK(raises<brio::BrokenPipeError>(EPIPE));
  CHECK(raises<brio::BrokenPipeError>(ESHUTDOWN));
  CHECK(raises<brio::ConnectionAbortedError>(ECONNABORTED));
  CHECK(raises<brio::ConnectionRefusedError>(ECONNREFUSED));
  CHECK(raises<brio::ConnectionResetError>(ECONNRESET));
  CHECK(raises<brio::TimeoutError>(ETIMEDOUT));
  CHECK_FALSE(raises<brio::ConnectionError>(EINVAL));
}

TEST_CASE("a system error names the operation and keeps errno") {
  const brio::ConnectionRefusedError error(ECONNREFUSED, "connect to 127.0.0.1:9");
  CHECK(std::string(error.what()) == "connect to 127.0.0.1:9 failed: Connection refused");
  CHECK(error.error_number() == ECONNREFUSED);
  CHECK(error.code() == std::errc::connection_refused);
}

TEST_CASE("a TimeoutError of no system call has ETIMEDOUT and the message it was given") {
  CHECK(std::string(brio::TimeoutError().what()) == "");
  const brio::TimeoutError error("too late");
  CHECK(std::string(error.what()) == "too late");
  CHECK(error.error_number() == ETIMEDOUT);
}

TEST_CASE("IncompleteReadError says what came and what was asked for") {
  const brio::IncompleteReadError known("abc", 10);
  CHECK(known.partial() == "abc");
  CHECK(known.expected() == 10);
  CHECK(std::string(known.what()) == "3 bytes read on a total of 10 expected bytes");
  const brio::IncompleteReadError unknown("", std::nullopt);
  CHECK(std::string(unknown.what()) == "0 bytes read on a total of undefined expected bytes");
}

TEST_CASE("describe and type_name know every family") {
  CHECK(brio::describe(nullptr) == "none");
  CHECK(brio::type_name(nullptr) == "none");
  CHECK(brio::describe(std::make_exception_ptr(brio::CancelledError("m"))) == "m");
  CHECK(brio::describe(std::make_exception_ptr(brio::SystemExit(3, "bye"))) == "bye");
  CHECK(brio::describe(std::make_exception_ptr(brio::KeyboardInterrupt())) == "KeyboardInterrupt");
  CHECK(brio::describe(std::make_exception_ptr(brio::ValueError("bad"))) == "bad");
  CHECK(brio::describe(std::make_exception_ptr(7)) == "int");
  CHECK(brio::type_name(std::make_exception_ptr(brio::QueueEmpty())) == "brio::QueueEmpty");
  const auto error = brio::make_oserror(ENOENT, "open x");
  CHECK(brio::type_name(error) == "brio::FileNotFoundError");
  CHECK(brio::describe(error) == "open x failed: No such file or directory");
}
