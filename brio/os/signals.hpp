// Signal handlers on the loop (loop.add_signal_handler).
#pragma once

#include <brio/core/loop.hpp>

#include <utility>

namespace brio {

namespace detail {
BRIO_API void install_signal_handler(EventLoop& loop, int signal_number,
                                     UniqueFunction<void()> callback, std::source_location where);
}  // namespace detail

/// Calls `callback()` on the loop each time the signal arrives: as an ordinary callback in an
/// iteration of its own, never in the middle of user code. Replaces an earlier handler of that
/// signal. Main thread only, as in asyncio. System calls are restarted (SA_RESTART).
/// Throws ValueError for a number that is no signal, RuntimeError for one that cannot be caught,
/// outside the main thread, and while another loop handles signals.
template <class F>
void add_signal_handler(EventLoop& loop, int signal_number, F&& callback,
                        std::source_location where = std::source_location::current()) {
  static_assert(!iscoroutine_v<std::invoke_result_t<std::decay_t<F>&>>,
                "brio: a coroutine function cannot be a signal handler; use create_task in it");
  detail::install_signal_handler(loop, signal_number,
                                 detail::UniqueFunction<void()>(std::forward<F>(callback)), where);
}
/// The same on the running loop.
template <class F>
void add_signal_handler(int signal_number, F&& callback,
                        std::source_location where = std::source_location::current()) {
  add_signal_handler(get_running_loop(), signal_number, std::forward<F>(callback), where);
}
/// Takes the handler away and gives the signal its default action; SIGINT goes back to the Runner
/// if one has it. True if there was one.
BRIO_API bool remove_signal_handler(EventLoop& loop, int signal_number);
BRIO_API bool remove_signal_handler(int signal_number);

}  // namespace brio
