// Watching several futures at once: what gather, wait and as_completed have in common.
#pragma once

#include <brio/core/detail/future_base.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace brio::detail {

class ChildNode;

/// Owns ChildNodes and outlives those whose call is queued: each such node holds a reference.
class BRIO_API ChildOwner {
public:
  /// The child's turn in the loop.
  virtual void child_done(ChildNode& child) = 0;
  virtual void hold_for_child() noexcept = 0;
  virtual void release_for_child() noexcept = 0;
  /// Who waits for the children, for the call graph.
  [[nodiscard]] virtual FutureBase* waiting_for_children() const noexcept = 0;

protected:
  ~ChildOwner() = default;
  ChildOwner() = default;
  ChildOwner(const ChildOwner&) = default;
  ChildOwner& operator=(const ChildOwner&) = default;
};

/// One watched future.
class BRIO_API ChildNode final : public DoneCallback {
public:
  ChildNode() = default;
  ChildNode(const ChildNode&) = delete;
  ChildNode& operator=(const ChildNode&) = delete;
  ~ChildNode() { forget(); }

  /// Keeps `future` and calls owner.child_done in the loop once it is done.
  void watch(ChildOwner& owner, FutureBase& future) {
    keep(owner, future);
    future.add(*this);
  }
  /// Keeps `future` without watching it (done already, or a duplicate).
  void keep(ChildOwner& owner, FutureBase& future) {
    owner_ = &owner;
    future_ = Ref<FutureBase>(&future);
  }
  /// Stops watching; a queued call still comes.
  void forget() noexcept {
    if (linked()) future_->remove(*this);
  }
  [[nodiscard]] FutureBase& future() const noexcept { return *future_; }
  [[nodiscard]] const Ref<FutureBase>& handle() const noexcept { return future_; }

  void on_done(FutureBase& future) override {
    owner_->hold_for_child();
    future.core().ready(*this);
  }
  void run() override {
    ChildOwner& owner = *owner_;
    owner.child_done(*this);
    owner.release_for_child();
  }
  void drop() noexcept override { owner_->release_for_child(); }
  [[nodiscard]] FutureBase* awaiting() const noexcept override {
    return owner_->waiting_for_children();
  }

private:
  ChildOwner* owner_ = nullptr;
  Ref<FutureBase> future_;
};

}  // namespace brio::detail
