#include <brio/core/gather.hpp>

#include <new>
#include <unordered_set>

namespace brio::detail {

struct GatherStart::Seen {
  std::unordered_set<const FutureBase*> futures;
};

GatherStart::GatherStart(GatherCore& gather, ChildNode* nodes) : gather_(&gather) {
  gather.nodes_ = nodes;
}
GatherStart::GatherStart(GatherStart&&) noexcept = default;
GatherStart::~GatherStart() = default;

// Quadratic for a handful, hashed for many.
bool GatherStart::seen_before(FutureBase& future) {
  constexpr std::size_t handful = 16;
  const GatherCore& gather = *gather_;
  if (seen_) return !seen_->futures.insert(&future).second;
  for (std::size_t i = 0; i < gather.count_; ++i)
    if (&gather.child(i) == &future) return true;
  if (gather.count_ == handful) {
    seen_ = std::make_unique<Seen>();
    for (std::size_t i = 0; i < gather.count_; ++i) seen_->futures.insert(&gather.child(i));
    seen_->futures.insert(&future);
  }
  return false;
}

void GatherStart::add(FutureBase& future) {
  if (seen_before(future))
    gather_->nodes_[gather_->count_++].keep(*gather_, future);
  else
    add_new(future);
}

void GatherStart::add_new(FutureBase& future) {
  ChildNode& node = gather_->nodes_[gather_->count_++];
  ++gather_->unfinished_;
  if (future.done()) {
    node.keep(*gather_, future);
    finished_.push_back(&node);
  } else {
    node.watch(*gather_, future);
  }
}

void GatherStart::finish() {
  const Ref<FutureBase> keep(&gather_->outer_);
  gather_->all_added_ = true;
  if (gather_->count_ == 0) gather_->collect();
  for (ChildNode* node : finished_) gather_->child_done(*node);
}

void GatherCore::child_done(ChildNode& child) {
  --unfinished_;
  FutureBase& future = child.future();
  if (outer_.done() || !all_added_) {
    future.mark_retrieved();
    return;
  }
  if (!outcomes_) {
    if (future.cancelled()) {
      outer_.fail(future.make_cancelled_error());
      return;
    }
    if (future.failed()) {
      outer_.fail(future.exception());
      return;
    }
  }
  if (unfinished_ > 0) return;
  if (cancel_requested_) {
    // The last child in order, not the last to end, says with which message (as CPython's loop
    // over the children leaves its variable); it need not be a cancelled one.
    outer_.fail(nodes_[count_ - 1].future().make_cancelled_error());
    for (std::size_t i = 0; i < count_; ++i) nodes_[i].future().mark_retrieved();
    return;
  }
  try {
    collect();
  } catch (...) {
    outer_.fail(std::current_exception());
  }
}

namespace {
// Stands in for a gather that is gone.
class Remnant final : public DoneCallback, public Pooled {
public:
  explicit Remnant(bool takes_errors) noexcept : takes_errors_(takes_errors) {}
  Remnant(const Remnant&) = delete;
  Remnant& operator=(const Remnant&) = delete;
  ~Remnant() = default;
  void on_done(FutureBase& future) override {
    if (takes_errors_) future.mark_retrieved();
    future.core().ready(*this);
  }
  void run() override { delete this; }
  void drop() noexcept override { delete this; }

private:
  bool takes_errors_;
};
}  // namespace

void GatherCore::leave_children() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if (!nodes_[i].linked()) continue;
    try {
      nodes_[i].future().replace(nodes_[i], *new Remnant(outer_.done()));
    } catch (const std::bad_alloc&) {
      nodes_[i].forget();
    }
  }
}

bool GatherCore::cancel_children(const SharedText& message) {
  bool taken = false;
  for (std::size_t i = 0; i < count_; ++i) taken |= nodes_[i].future().cancel(message);
  if (taken) cancel_requested_ = true;
  return taken;
}

}  // namespace brio::detail
