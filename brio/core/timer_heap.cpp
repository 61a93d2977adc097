#include <brio/core/detail/timer_heap.hpp>

namespace brio::detail {

void throw_nan_delay() { throw ValueError("Invalid delay: NaN (not a number)"); }

void TimerHeap::add(TimedNode& node, TimePoint when) {
  const Entry entry{when, next_sequence_++, &node};
  entries_.push_back(entry);
  sift_up(entries_.size() - 1, entry);
}

void TimerHeap::remove(TimedNode& node) noexcept {
  const std::size_t hole = node.heap_index_;
  node.heap_index_ = TimedNode::unarmed;
  const Entry last = entries_.back();
  entries_.pop_back();
  if (hole == entries_.size()) return;
  if (hole > 0 && last.before(entries_[(hole - 1) / 4]))
    sift_up(hole, last);
  else
    sift_down(hole, last);
}

TimedNode* TimerHeap::pop() noexcept {
  TimedNode* node = entries_.front().node;
  remove(*node);
  return node;
}

void TimerHeap::sift_up(std::size_t index, const Entry& entry) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / 4;
    if (!entry.before(entries_[parent])) break;
    place(index, entries_[parent]);
    index = parent;
  }
  place(index, entry);
}

void TimerHeap::sift_down(std::size_t index, const Entry& entry) noexcept {
  const std::size_t size = entries_.size();
  while (true) {
    const std::size_t first = index * 4 + 1;
    if (first >= size) break;
    std::size_t best = first;
    const std::size_t end = first + 4 < size ? first + 4 : size;
    for (std::size_t i = first + 1; i < end; ++i)
      if (entries_[i].before(entries_[best])) best = i;
    if (!entries_[best].before(entry)) break;
    place(index, entries_[best]);
    index = best;
  }
  place(index, entry);
}

}  // namespace brio::detail
