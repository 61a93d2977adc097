#include <brio/core/gather.hpp>

#include <algorithm>
#include <unordered_set>

namespace brio::detail {

namespace {
// Which of `futures` have stood before; quadratic for a handful, hashed for many.
std::vector<bool> duplicates(const Ref<FutureBase>* futures, std::size_t count) {
  std::vector<bool> repeated(count, false);
  if (count <= 16) {
    for (std::size_t i = 1; i < count; ++i)
      repeated[i] = std::find(futures, futures + i, futures[i]) != futures + i;
  } else {
    std::unordered_set<const FutureBase*> seen;
    seen.reserve(count);
    for (std::size_t i = 0; i < count; ++i) repeated[i] = !seen.insert(futures[i].get()).second;
  }
  return repeated;
}
}  // namespace

void GatherCore::watch(ChildNode* nodes, const Ref<FutureBase>* futures, std::size_t count) {
  nodes_ = nodes;
  count_ = count;
  const std::vector<bool> repeated = duplicates(futures, count);
  unfinished_ = static_cast<std::size_t>(std::count(repeated.begin(), repeated.end(), false));
  const Ref<FutureBase> keep(&outer_);
  std::vector<std::size_t> finished;
  for (std::size_t i = 0; i < count; ++i) {
    nodes[i].keep(*this, *futures[i]);
    if (repeated[i]) continue;
    if (futures[i]->done())
      finished.push_back(i);
    else
      nodes[i].watch(*this, *futures[i]);
  }
  // What was done when it came counts at once, without a trip through the loop.
  if (count == 0) collect();
  for (const std::size_t i : finished) child_done(nodes[i]);
}

void GatherCore::child_done(ChildNode& child) {
  --unfinished_;
  FutureBase& future = child.future();
  if (outer_.done()) {
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

bool GatherCore::cancel_children(const SharedText& message) {
  bool taken = false;
  for (std::size_t i = 0; i < count_; ++i) taken |= nodes_[i].future().cancel(message);
  if (taken) cancel_requested_ = true;
  return taken;
}

}  // namespace brio::detail
