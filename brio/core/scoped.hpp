// try_finally and with: clean-up that awaits. C++ allows no co_await in a catch block or in a
// destructor, so the block is a callable.
#pragma once

#include <brio/core/outcome.hpp>
#include <brio/core/task.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace brio {

/// Runs `body()`, then `cleanup()` however the body ended, and gives the body's value or throws its
/// error (try: … finally: await cleanup()). An error of the clean-up replaces the body's. Both
/// closures live until the end. A cancelled body does not keep the clean-up from awaiting.
template <class B, class C>
auto try_finally(B body, C cleanup) -> Coro<detail::coro_value_t<B>> {
  auto outcome = co_await as_outcome(body());
  co_await cleanup();
  co_return std::move(outcome).value();
}

/// An asynchronous context manager: `co_await m.enter()` gives the resource, `co_await
/// m.exit(error)` lets it go; a true result of exit swallows the error (__aenter__, __aexit__).
template <class M>
concept AsyncContextManager = requires(M& manager, std::exception_ptr error) {
  manager.enter();
  manager.exit(error);
};

namespace detail {
template <class M>
using entered_t = await_result_t<decltype(std::declval<M&>().enter())>;

template <class F, class M>
struct WithBody {
  using type = typename CoroValue<std::invoke_result_t<F&, entered_t<M>&>>::type;
};
template <class F, class M>
  requires std::is_void_v<entered_t<M>>
struct WithBody<F, M> {
  using type = typename CoroValue<std::invoke_result_t<F&>>::type;
};
}  // namespace detail

/// Runs `body(resource)` between enter and exit (async with). The manager and the closure live
/// until then. If exit swallows an error, a body with a value gives a RuntimeError instead.
template <AsyncContextManager M, class F>
auto with(M manager, F body) -> Coro<typename detail::WithBody<F, M>::type> {
  using T = typename detail::WithBody<F, M>::type;
  std::optional<Outcome<T>> outcome;
  if constexpr (std::is_void_v<detail::entered_t<M>>) {
    co_await manager.enter();
    outcome.emplace(co_await as_outcome(body()));
  } else {
    auto resource = co_await manager.enter();
    outcome.emplace(co_await as_outcome(body(resource)));
  }
  bool swallowed = false;
  if constexpr (std::is_void_v<detail::await_result_t<decltype(manager.exit(nullptr))>>)
    co_await manager.exit(outcome->error());
  else
    swallowed = co_await manager.exit(outcome->error());
  if constexpr (std::is_void_v<T>) {
    if (!swallowed) outcome->raise();
  } else {
    if (swallowed && !outcome->has_value())
      throw RuntimeError("the context manager swallowed the error of a body that gives a value");
    co_return std::move(*outcome).value();
  }
}

}  // namespace brio
