// The async trace of an error: which coroutines it has left, and where each of them stood. A C++
// exception carries no traceback, so each coroutine that an error leaves writes itself down. A
// thread keeps the traces of its latest few errors, and these errors with them, until its loop is
// closed.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/promise.hpp>

#include <exception>
#include <string>

namespace brio::detail {

/// For a promise's unhandled_exception: the current exception, and a note that it leaves this
/// coroutine. Cancellations are not noted.
[[nodiscard]] BRIO_API std::exception_ptr catch_error(const PromiseBase& promise) noexcept;

/// The coroutines that `error` has left in this thread, as Python would print them, outermost
/// first; "" if nothing is known.
[[nodiscard]] BRIO_API std::string error_trace(const std::exception_ptr& error);
/// Keeps the trace of the error that a main coroutine ended with (null: of none) when its loop is
/// closed: it may yet leave the program's main().
BRIO_API void keep_error_of_main(const std::exception_ptr& error) noexcept;
/// Gives up all others.
BRIO_API void forget_errors() noexcept;

}  // namespace brio::detail
