// ensure_future: a Coro becomes a Task, a Future stays what it is.
#pragma once

#include <brio/core/loop.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace brio {

/// Schedules a coroutine on the running loop (asyncio.ensure_future).
template <class T>
Task<T> ensure_future(Coro<T> coro BRIO_CORO_BORROWS,
                      std::source_location where = std::source_location::current()) {
  return get_running_loop().create_task(std::move(coro), {}, where);
}
/// A future or task is given back as it is.
template <std::derived_from<AnyFuture> F>
F ensure_future(F future) {
  return future;
}
/// Any other awaitable is wrapped into a coroutine and scheduled.
template <detail::PlainAwaitable A>
auto ensure_future(A awaitable, std::source_location where = std::source_location::current())
    -> Task<detail::await_result_t<A>> {
  return get_running_loop().create_task(std::move(awaitable), {}, where);
}

namespace detail {

/// The T behind Coro<T>, Future<T>, Task<T> or another awaitable; void for AnyFuture.
template <class A>
struct FutureValue {
  using type = await_result_t<A>;
};
template <std::derived_from<AnyFuture> F>
struct FutureValue<F> {
  using type = void;
};
template <class F>
  requires std::derived_from<F, AnyFuture> && requires { typename F::value_type; }
struct FutureValue<F> {
  using type = typename F::value_type;
};
template <class A>
using future_value_t = typename FutureValue<std::remove_cvref_t<A>>::type;

}  // namespace detail
}  // namespace brio
