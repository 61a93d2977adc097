#include <brio/core/async_generator.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/generator.hpp>
#include <brio/core/loop.hpp>

namespace brio {

namespace detail {

void throw_generator_running() { throw ValueError("generator already executing"); }

void GeneratorPromise::check_idle(const char* what) const {
  if (running_)
    throw RuntimeError(std::string(what) + ": asynchronous generator is already running");
}

std::coroutine_handle<> GeneratorPromise::begin(PromiseBase& consumer, Drive drive,
                                                std::exception_ptr injected) {
  check_idle(drive == Drive::next ? "anext()" : drive == Drive::close ? "aclose()" : "athrow()");
  if (finished_) return nullptr;
  if (!started_) {
    if (drive == Drive::close) {
      finished_ = true;
      return nullptr;
    }
    if (drive == Drive::raise) {
      finished_ = true;
      std::rethrow_exception(std::move(injected));
    }
    started_ = true;
    enlist();
  } else if (drive == Drive::close) {
    injected_ = std::make_exception_ptr(GeneratorExit());
  } else if (drive == Drive::raise) {
    injected_ = std::move(injected);
  }
  awaiter_ = &consumer;
  running_ = true;
  return frame();
}

namespace {
template <class E>
bool holds(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}
}  // namespace

bool GeneratorPromise::end(Drive drive) {
  if (finished_) delist();
  if (error_) {
    std::exception_ptr error = std::exchange(error_, nullptr);
    if (drive == Drive::close && (holds<GeneratorExit>(error))) return false;
    if (holds<StopAsyncIteration>(error))
      throw RuntimeError("async generator raised StopAsyncIteration");
    std::rethrow_exception(std::move(error));
  }
  if (finished_) return false;
  if (drive == Drive::close) {
    has_value_ = false;
    throw RuntimeError("async generator ignored GeneratorExit");
  }
  return true;
}

// ---- the loop's list of generators that were started and have not ended

void GeneratorPromise::enlist() {
  EventLoop& loop = get_running_loop();
  if (loop.asyncgens_shut_down_)
    log(LogLevel::warning, "brio",
        std::string("asynchronous generator ") + where_.function_name() +
            " was scheduled after loop.shutdown_asyncgens() call");
  loop_ = &loop;
  loop_->ref();
  previous_live_ = loop_->last_generator_;
  (previous_live_ ? previous_live_->next_live_ : loop_->first_generator_) = this;
  loop_->last_generator_ = this;
}

void GeneratorPromise::delist() noexcept {
  if (!loop_) return;
  if (loop_->first_generator_ == this || previous_live_) {
    (previous_live_ ? previous_live_->next_live_ : loop_->first_generator_) = next_live_;
    (next_live_ ? next_live_->previous_live_ : loop_->last_generator_) = previous_live_;
  }
  next_live_ = previous_live_ = nullptr;
  std::exchange(loop_, nullptr)->unref();
}

namespace {
Coro<void> close_abandoned(Ref<GeneratorPromise> generator) {
  co_await CloseAwaiter(std::move(generator), Drive::close, nullptr);
}
}  // namespace

void GeneratorPromise::last_ref_gone() noexcept {
  if (started_ && !finished_ && loop_ && !loop_->closed_ && !loop_->closing_) {
    // Left in the middle: its loop closes it, in a task of its own.
    try {
      Ref<GeneratorPromise> keep(this);
      EventLoop& loop = loop_->loop();
      delist();
      loop.call_soon([&loop, generator = std::move(keep)]() mutable {
        loop.create_task(close_abandoned(std::move(generator)));
      });
      return;
    } catch (...) {
      // No memory to close it properly: destroying the frame is what is left.
    }
  }
  delist();
  frame().destroy();
}

struct GeneratorList {
  static std::vector<Ref<GeneratorPromise>> take(LoopCore& loop) {
    std::vector<Ref<GeneratorPromise>> all;
    for (GeneratorPromise* at = loop.first_generator_; at; at = at->next_live_)
      all.emplace_back(at);
    return all;
  }
};

}  // namespace detail

Coro<void> EventLoop::shutdown_asyncgens() {
  asyncgens_shut_down_ = true;
  std::vector<detail::Ref<detail::GeneratorPromise>> generators =
      detail::GeneratorList::take(*this);
  if (generators.empty()) co_return;
  std::vector<Coro<void>> closing;
  closing.reserve(generators.size());
  for (const auto& generator : generators) closing.push_back(detail::close_abandoned(generator));
  const std::vector<Outcome<void>> outcomes = co_await gather(return_exceptions, closing);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].has_value() || outcomes[i].cancelled()) continue;
    ExceptionContext context;
    context.message = std::string("an error occurred during closing of asynchronous generator ") +
                      generators[i]->where_.function_name();
    context.exception = outcomes[i].error();
    context.where = generators[i]->where_;
    call_exception_handler(context);
  }
}

}  // namespace brio
