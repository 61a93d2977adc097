#include <brio/exec/detail/bridge.hpp>

#include <typeinfo>

namespace brio::detail {

Bridge::Bridge(EventLoop& loop, FutureBase& future)
    : PostedState(loop, {}, future.where()), loop_(&loop), inbox_(loop.inbox()), future_(&future) {
  if (loop.get_debug()) loop.check_thread();
  list_ = &loop.local<List>();
  next_ = list_->first;
  if (next_) next_->previous_ = this;
  list_->first = this;
  ref();
}

Bridge::~Bridge() = default;

void Bridge::post() noexcept {
  ref();
  // As call_soon_threadsafe: from the loop's own thread in order with call_soon.
  if (at_home())
    loop_->ready(*this);
  else if (!inbox_->post(*this))
    unref();
}

Ref<FutureBase> Bridge::cut() noexcept {
  if (!list_) return {};
  (previous_ ? previous_->next_ : list_->first) = next_;
  if (next_) next_->previous_ = previous_;
  list_ = nullptr;
  Ref<FutureBase> future = std::move(future_);
  unref();
  return future;
}

Bridge::List::~List() {
  while (first) {
    const Ref<PostedState> keep(first);
    Bridge& bridge = *first;
    bridge.cut();
    bridge.abandoned();
  }
}

std::exception_ptr convert_error(std::exception_ptr error) {
  const std::type_info* const type = error.__cxa_exception_type();
  if (type && *type == typeid(concurrent::CancelledError))
    return std::make_exception_ptr(CancelledError());
  return error;
}

void ToTask::cancel_task() {
  if (at_home())
    call();
  else
    post();
}

void ToTask::call() {
  if (FutureBase* task = future()) task->cancel(SharedText());
}

void ToTask::abandoned() noexcept { destination_.cancel(); }

Pledge::~Pledge() {
  if (future_) future_.cancel();
}

}  // namespace brio::detail
