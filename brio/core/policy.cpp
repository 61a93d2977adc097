#include <brio/core/policy.hpp>

#include <mutex>

namespace brio {

EventLoopPolicy::~EventLoopPolicy() = default;

std::unique_ptr<Engine> EventLoopPolicy::new_engine() { return detail::make_default_engine(); }

namespace {
std::mutex policy_mutex;
std::shared_ptr<EventLoopPolicy>& policy() {
  static std::shared_ptr<EventLoopPolicy> current = std::make_shared<EventLoopPolicy>();
  return current;
}
}  // namespace

std::shared_ptr<EventLoopPolicy> get_event_loop_policy() {
  const std::lock_guard lock(policy_mutex);
  return policy();
}

void set_event_loop_policy(std::shared_ptr<EventLoopPolicy> next) {
  const std::lock_guard lock(policy_mutex);
  policy() = next ? std::move(next) : std::make_shared<EventLoopPolicy>();
}

LoopPtr new_event_loop(std::unique_ptr<Engine> engine) {
  auto* loop = new EventLoop(engine ? std::move(engine) : get_event_loop_policy()->new_engine());
  loop->ref();
  return LoopPtr(loop);
}

EventLoop& get_event_loop() {
  if (detail::thread_state.running) return *detail::thread_state.running;
  if (detail::thread_state.set_loop) return *detail::thread_state.set_loop;
  throw RuntimeError("There is no current event loop in this thread");
}

void set_event_loop(EventLoop* loop) noexcept { detail::thread_state.set_loop = loop; }

}  // namespace brio
