#include <brio/core/detail/node.hpp>

namespace brio::detail {

bool Node::cancel_wait(const SharedText&) { return false; }
void Node::drop() noexcept {}
FutureBase* Node::awaited() const noexcept { return nullptr; }
FutureBase* Node::awaiting() const noexcept { return nullptr; }
bool Node::live() const noexcept { return true; }
std::string Node::describe() const { return "<callback>"; }

void ReadyRing::grow() {
  const std::size_t wider = capacity_ == 0 ? 256 : capacity_ * 2;
  auto slots = std::make_unique<Node*[]>(wider);
  const std::size_t count = size();
  for (std::size_t i = 0; i < count; ++i) slots[i] = slots_[(head_ + i) & (capacity_ - 1)];
  slots_ = std::move(slots);
  capacity_ = wider;
  head_ = 0;
  tail_ = count;
}

}  // namespace brio::detail
