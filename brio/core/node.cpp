#include <brio/core/detail/node.hpp>

namespace brio::detail {

bool Node::cancel_wait(const SharedText&) { return false; }
FutureBase* Node::passes_cancel_to() const noexcept { return nullptr; }
void Node::drop() noexcept {}
FutureBase* Node::awaited() const noexcept { return nullptr; }
FutureBase* Node::awaiting() const noexcept { return nullptr; }
bool Node::live() const noexcept { return true; }
std::string Node::describe() const { return "<callback>"; }

void ReadyRing::grow() {
  const std::size_t count = size();
  auto slots = std::make_unique<Node*[]>((mask_ + 1) * 2);
  for (std::size_t i = 0; i < count; ++i) slots[i] = slots_[(head_ + i) & mask_];
  slots_ = std::move(slots);
  mask_ = mask_ * 2 + 1;
  head_ = 0;
  tail_ = count;
}

}  // namespace brio::detail
