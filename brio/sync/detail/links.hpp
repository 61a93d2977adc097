// A place in a circular list that its owner keeps by hand.
#pragma once

namespace brio::detail {

struct Links {
  Links* previous_ = nullptr;  // both null: in no list
  Links* next_ = nullptr;

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void link_before(Links& place) noexcept {
    previous_ = place.previous_;
    next_ = &place;
    place.previous_->next_ = this;
    place.previous_ = this;
  }
  void unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }
};

/// The list itself: an element that is always there.
struct ListHead : Links {
  ListHead() noexcept { previous_ = next_ = this; }
  ListHead(const ListHead&) = delete;
  ListHead& operator=(const ListHead&) = delete;
  ~ListHead() = default;
  [[nodiscard]] bool empty() const noexcept { return next_ == this; }
};

}  // namespace brio::detail
