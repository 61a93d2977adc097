// Timers: a 4-ary heap ordered by deadline, then by creation, so that timers due together fire in
// the order in which they were made. A node knows its place, so a cancelled timer leaves at once.
#pragma once

#include <brio/core/detail/node.hpp>
#include <brio/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brio::detail {

/// A node that may stand in the timer heap.
class BRIO_API TimedNode : public Node {
public:
  static constexpr std::uint32_t unarmed = 0xffffffff;
  [[nodiscard]] bool armed() const noexcept { return heap_index_ != unarmed; }

protected:
  ~TimedNode() = default;

private:
  friend class TimerHeap;
  std::uint32_t heap_index_ = unarmed;
};

class BRIO_API TimerHeap {
public:
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] TimePoint earliest() const noexcept { return entries_.front().when; }
  [[nodiscard]] TimedNode* top() const noexcept { return entries_.front().node; }
  [[nodiscard]] TimePoint deadline(const TimedNode& node) const noexcept {
    return entries_[node.heap_index_].when;
  }

  void add(TimedNode& node, TimePoint when);
  /// Takes an armed node out.
  void remove(TimedNode& node) noexcept;
  TimedNode* pop() noexcept;
  void reserve(std::size_t count) { entries_.reserve(count); }

private:
  struct Entry {
    TimePoint when;
    std::uint64_t sequence;
    TimedNode* node;
    [[nodiscard]] bool before(const Entry& other) const noexcept {
      return when != other.when ? when < other.when : sequence < other.sequence;
    }
  };
  void place(std::size_t index, const Entry& entry) noexcept {
    entries_[index] = entry;
    entry.node->heap_index_ = static_cast<std::uint32_t>(index);
  }
  void sift_up(std::size_t index, const Entry& entry) noexcept;
  void sift_down(std::size_t index, const Entry& entry) noexcept;

  std::vector<Entry> entries_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace brio::detail
