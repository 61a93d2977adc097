// A scene: tasks that wait for each other, and one line of what came of it, in order.
#pragma once

#include <brio/core/loop.hpp>
#include <brio/core/sleep.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace scene {

using brio::AnyTask;
using brio::Coro;
using brio::create_task;
using brio::yield_now;

inline std::string text(bool value) { return value ? "True" : "False"; }
inline std::string text(int value) { return std::to_string(value); }
inline std::string text(const std::string& value) { return value; }
template <class T>
std::string text(const std::optional<T>& value) {
  return value ? text(*value) : "None";
}

/// "CancelledError(m)", as the error that is being handled says it.
inline std::string error_text() {
  const std::exception_ptr error = std::current_exception();
  std::string name = brio::type_name(error);
  if (const auto colon = name.rfind(':'); colon != std::string::npos) name.erase(0, colon + 1);
  try {
    std::rethrow_exception(error);
  } catch (const brio::CancelledError& cancelled) {
    return name + "(" + cancelled.what() + ")";
  } catch (const std::exception& other) {
    return name + "(" + other.what() + ")";
  }
}

class Scene {
public:
  void log(const std::string& entry) { story_ += (story_.empty() ? "" : " ") + entry; }
  [[nodiscard]] const std::string& story() const { return story_; }

  /// A task that awaits `awaitable` and logs "name=value" or "name!Error(message)".
  template <class A>
  AnyTask spawn(std::string name, A awaitable) {
    return create_task(tell<A>, std::ref(*this), std::move(name), std::move(awaitable));
  }
  /// The same inside the current task; errors do not get out.
  template <class A>
  static Coro<void> tell(Scene& scene, std::string name, A awaitable) {
    try {
      if constexpr (std::is_void_v<decltype(result_of(std::move(awaitable)))>) {
        co_await std::move(awaitable);
        scene.log(name + "=None");
      } else {
        scene.log(name + "=" + text(co_await std::move(awaitable)));
      }
    } catch (...) {
      scene.log(name + "!" + error_text());
    }
  }

private:
  template <class A>
  static auto result_of(A&& awaitable) {
    if constexpr (brio::detail::HasMemberCoAwait<A>)
      return std::forward<A>(awaitable).operator co_await().await_resume();
    else
      return awaitable.await_resume();
  }
  std::string story_;
};

/// Lets every ready task run `times` times.
inline Coro<void> turns(int times) {
  for (int turn = 0; turn < times; ++turn) co_await yield_now();
}

/// Cancels every other task and lets it end: for scripts whose tasks use the script's locals.
inline Coro<void> finish() {
  const AnyTask self = brio::current_task();
  for (const AnyTask& task : brio::all_tasks())
    if (task.state() != self.state()) task.cancel();
  co_await turns(20);
}

/// Runs `script`, then cancels whatever it has left behind, and gives the story.
inline std::string play(Coro<void> (*script)(Scene&)) {
  Scene scene;
  const brio::LoopPtr loop = brio::new_event_loop();
  loop->run_until_complete(script(scene));
  loop->run_until_complete(finish());
  CHECK(brio::all_tasks(loop.get()).empty());
  return scene.story();
}

/// The text of what calling `function` throws; "" if it throws nothing.
template <class F>
std::string thrown_by(F&& function) {
  try {
    function();
  } catch (...) {
    return error_text();
  }
  return "";
}

}  // namespace scene
