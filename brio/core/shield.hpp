// shield: protects an awaitable from the cancellation of whoever awaits it.
#pragma once

#include <brio/core/ensure_future.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace brio {

namespace detail {

/// Reports an error that nobody is left to look at. Equal to every other one, so that several
/// shields of one future report once.
struct LogShielded {
  BRIO_API void operator()(const AnyFuture& inner) const;
  bool operator==(const LogShielded&) const = default;
};

/// What the inner future knows of the outer one: nothing once that is gone. The outer holds the
/// inner; were it so both ways, a pair that is never completed would never be freed.
class OuterLink {
public:
  explicit OuterLink(FutureBase& outer) : outer_(std::make_shared<FutureBase*>(&outer)) {}
  OuterLink(OuterLink&&) noexcept = default;
  OuterLink& operator=(OuterLink&&) = delete;
  ~OuterLink() {
    if (outer_) *outer_ = nullptr;
  }
  [[nodiscard]] std::shared_ptr<FutureBase* const> get() const noexcept { return outer_; }

private:
  std::shared_ptr<FutureBase*> outer_;
};

/// Hands what became of the inner future to the outer one.
template <class T>
struct FollowInner {
  std::shared_ptr<FutureBase* const> link;
  void operator()(const Future<T>& inner) const {
    if (!*link) return;
    const Future<T> outer{Ref<FutureBase>(*link)};
    if (outer.cancelled()) return;
    if (inner.cancelled()) {
      outer.cancel();
    } else if (std::exception_ptr error = inner.exception()) {
      outer.set_exception(std::move(error));
    } else if constexpr (std::is_void_v<T>) {
      outer.set_result();
    } else if constexpr (std::is_copy_constructible_v<T>) {
      outer.set_result(inner.result());
    } else {
      inner.state()->mark_taken();
      outer.set_result(std::move(value_of<T>(*inner.state())));
    }
  }
  /// For the call graph.
  [[nodiscard]] FutureBase* awaiting() const noexcept { return *link; }
};

template <class T>
Future<T> shield_future(const Future<T>& inner, std::source_location where) {
  if (inner.done()) return inner;
  Future<T> outer = inner.get_loop().template create_future<T>(where);
  OuterLink link(*outer.state());
  const CallbackId inner_id = inner.add_done_callback(FollowInner<T>{link.get()});
  outer.add_done_callback([inner, inner_id, link = std::move(link)] {
    if (inner.done()) return;
    inner.remove_done_callback(inner_id);
    inner.remove_done_callback(LogShielded{});
    inner.add_done_callback(LogShielded{});
  });
  return outer;
}

}  // namespace detail

/// Gives a future that follows `awaitable`, but whose cancellation leaves it alone
/// (asyncio.shield). A coroutine becomes a task. If the inner one is cancelled, so is the outer; an
/// error of the inner after the outer was cancelled goes to the exception handler.
template <detail::Awaitable A>
auto shield(A&& awaitable, std::source_location where = std::source_location::current()) {
  using T = detail::future_value_t<A>;
  const auto inner = ensure_future(std::forward<A>(awaitable));
  return detail::shield_future<T>(Future<T>(detail::Ref<detail::FutureBase>(inner.state())), where);
}

}  // namespace brio
