#include <brio/exec/concurrent_wait.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_set>

namespace brio::detail {

namespace {

std::optional<TimePoint> deadline_of(std::optional<Duration> timeout) {
  if (!timeout) return std::nullopt;
  return after(std::chrono::steady_clock::now(), *timeout);
}

template <class Condition>
bool wait_on(std::condition_variable& variable, std::unique_lock<std::mutex>& lock,
             std::optional<TimePoint> deadline, Condition condition) {
  if (deadline) return variable.wait_until(lock, *deadline, condition);
  variable.wait(lock, condition);
  return true;
}

// Counts completions until there are enough of them.
class Counter final : public SharedListener {
public:
  Counter(std::size_t count, ReturnWhen when) : missing_(count), when_(when) {}

  void completed(SharedState& state) noexcept override {
    const bool last = when_ == FIRST_COMPLETED || (when_ == FIRST_EXCEPTION && state.has_error());
    const std::lock_guard lock(mutex_);
    if (missing_ == 0) return;
    missing_ = last ? 0 : missing_ - 1;
    if (missing_ == 0) enough_.notify_all();
  }
  void wait(std::optional<TimePoint> deadline) {
    std::unique_lock lock(mutex_);
    wait_on(enough_, lock, deadline, [this] { return missing_ == 0; });
  }

private:
  std::mutex mutex_;
  std::condition_variable enough_;
  std::size_t missing_;
  ReturnWhen when_;
};

}  // namespace

void remove_repeated(SharedStates& states) {
  std::unordered_set<const SharedState*> seen;
  std::erase_if(states, [&](const auto& state) { return !seen.insert(state.get()).second; });
}

void wait_for_states(const SharedStates& states, const WaitOptions& options) {
  const auto deadline = deadline_of(options.timeout);
  Counter counter(states.size(), options.return_when);
  for (const auto& state : states) state->add_listener(counter);
  counter.wait(deadline);
  for (const auto& state : states) state->remove_listener(counter);
}

CompletionQueue::CompletionQueue(SharedStates states, std::optional<Duration> timeout)
    : states_(std::move(states)), deadline_(deadline_of(timeout)) {
  finished_.reserve(states_.size());
  for (const auto& state : states_) state->add_listener(*this);
}

CompletionQueue::~CompletionQueue() {
  for (const auto& state : states_) state->remove_listener(*this);
}

void CompletionQueue::completed(SharedState& state) noexcept {
  const std::lock_guard lock(mutex_);
  finished_.push_back(&state);
  arrived_.notify_all();
}

Ref<SharedState> CompletionQueue::next() {
  if (handed_out_ == states_.size()) return {};
  std::unique_lock lock(mutex_);
  if (!wait_on(arrived_, lock, deadline_, [this] { return finished_.size() > handed_out_; }))
    throw TimeoutError(std::to_string(states_.size() - handed_out_) + " (of " +
                       std::to_string(states_.size()) + ") futures unfinished");
  return Ref<SharedState>(finished_[handed_out_++]);
}

}  // namespace brio::detail
