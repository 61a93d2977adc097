#include <brio/sync/as_completed.hpp>

#include <brio/core/wait.hpp>

namespace brio::detail {

void Completed::watch(std::vector<Ref<FutureBase>> futures, std::optional<Duration> timeout) {
  remove_repeated(futures);
  count_ = todo_ = slots_ = futures.size();
  nodes_ = std::make_unique<ChildNode[]>(count_);
  EventLoop* const running = thread_state.running;
  for (const Ref<FutureBase>& future : futures) {
    if (running && &future->loop() != running)
      throw ValueError("The future belongs to a different loop than the one that runs");
  }
  for (std::size_t i = 0; i < count_; ++i) nodes_[i].watch(*this, *futures[i]);
  if (count_ > 0 && timeout) {
    const Ref<Completed> self(this);
    timer_ = futures.front()->loop().call_later(*timeout, [self] { self->time_out(); });
  }
}

void Completed::child_done(ChildNode& child) {
  if (todo_ == 0) return;  // the timeout was here first
  --todo_;
  done_.put_nowait(child.handle());
  if (todo_ == 0) timer_.cancel();
}

void Completed::time_out() {
  timer_ = TimerHandle();  // its callback holds this object
  for (std::size_t i = 0; i < count_; ++i) nodes_[i].forget();
  for (; todo_ > 0; --todo_) done_.put_nowait(Ref<FutureBase>());
}

Coro<Ref<FutureBase>> Completed::wait_for_one(Ref<Completed> self) {
  // For the call graph: who waits for all of them, while it does.
  struct Waiting {
    explicit Waiting(Completed& of) noexcept : completed(of), task(thread_state.task) {
      completed.awaiter_ = task;
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() {
      if (completed.awaiter_ == task) completed.awaiter_ = nullptr;
    }
    Completed& completed;
    TaskBase* const task;
  };
  const Waiting waiting(*self);
  Ref<FutureBase> done = co_await self->done_.get();
  if (!done) throw TimeoutError();
  co_return done;
}

}  // namespace brio::detail
