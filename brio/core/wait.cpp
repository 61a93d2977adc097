#include <brio/core/wait.hpp>

#include <unordered_set>

namespace brio::detail {

void throw_nothing_to_wait_for() { throw ValueError("Set of Tasks/Futures is empty."); }

void remove_repeated(std::vector<Ref<FutureBase>>& futures) {
  std::unordered_set<const FutureBase*> seen;
  std::erase_if(futures, [&](const Ref<FutureBase>& f) { return !seen.insert(f.get()).second; });
}

namespace {

// Counts completions. Callbacks that are queued when the wait ends come later all the same, so the
// counter outlives the wait.
class Completions final : public ChildOwner {
public:
  Completions(std::size_t count, ReturnWhen when)
      : nodes(std::make_unique<ChildNode[]>(count)), unfinished_(count), when_(when) {}
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }
  void child_done(ChildNode& child) override {
    --unfinished_;
    FutureBase& future = child.future();
    if (unfinished_ > 0 && when_ != FIRST_COMPLETED) {
      if (when_ != FIRST_EXCEPTION || !future.failed()) return;
      future.mark_retrieved();
    }
    timer.cancel();
    if (pause) pause->wake();
  }
  void hold_for_child() noexcept override { ref(); }
  void release_for_child() noexcept override { unref(); }
  [[nodiscard]] FutureBase* waiting_for_children() const noexcept override {
    return pause ? pause->task() : nullptr;
  }

  std::unique_ptr<ChildNode[]> nodes;
  Pause* pause = nullptr;  // while the waiter waits
  TimerHandle timer;

private:
  ~Completions() = default;
  std::size_t unfinished_;
  ReturnWhen when_;
  unsigned refs_ = 0;
};

}  // namespace

Coro<void> wait_for_futures(std::vector<Ref<FutureBase>> futures, WaitOptions options) {
  const Ref<Completions> state(new Completions(futures.size(), options.return_when));
  Pause pause;
  state->pause = &pause;
  if (options.timeout) {
    state->timer = get_running_loop().call_later(*options.timeout, [state] {
      if (state->pause) state->pause->wake();
    });
  }
  for (std::size_t i = 0; i < futures.size(); ++i) state->nodes[i].watch(*state, *futures[i]);
  const std::exception_ptr interrupted = co_await pause;
  state->pause = nullptr;
  state->timer.cancel();
  for (std::size_t i = 0; i < futures.size(); ++i) state->nodes[i].forget();
  if (interrupted) std::rethrow_exception(interrupted);
}

}  // namespace brio::detail
