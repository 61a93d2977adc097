#include <brio/net/write_buffer.hpp>

#include <utility>

namespace brio::net::detail {

bool WriteBuffer::packs(std::size_t added) const noexcept {
  return added <= small_piece && !pieces_.empty() && pieces_.back().size() + added <= packed_piece;
}

void WriteBuffer::append(std::string_view data) {
  if (data.empty()) return;
  if (packs(data.size())) {
    pieces_.back().append(data);
  } else {
    pieces_.emplace_back(data);
  }
  size_ += data.size();
}

void WriteBuffer::append(std::string&& data, std::size_t skip) {
  const std::size_t added = data.size() - skip;
  if (added == 0) return;
  if (empty()) {
    pieces_.push_back(std::move(data));
    offset_ = skip;
    size_ = added;
    return;
  }
  // Only the first piece has an offset; a later one is cut instead.
  if (skip != 0 || packs(added)) {
    append(std::string_view(data).substr(skip));
    return;
  }
  pieces_.push_back(std::move(data));
  size_ += added;
}

std::size_t WriteBuffer::gather(iovec* out, std::size_t count) const noexcept {
  std::size_t filled = 0;
  std::size_t offset = offset_;
  for (std::size_t i = head_; i < pieces_.size() && filled < count; ++i) {
    // sendmsg does not write through it; iovec is shared with the reading calls.
    out[filled].iov_base = const_cast<char*>(pieces_[i].data()) + offset;
    out[filled].iov_len = pieces_[i].size() - offset;
    ++filled;
    offset = 0;
  }
  return filled;
}

void WriteBuffer::consume(std::size_t count) noexcept {
  size_ -= count;
  if (size_ == 0) {
    clear();
    return;
  }
  while (count >= pieces_[head_].size() - offset_) {
    count -= pieces_[head_].size() - offset_;
    pieces_[head_] = std::string();
    ++head_;
    offset_ = 0;
  }
  offset_ += count;
  // The used-up front of the vector is dropped once it is the larger part: amortised O(1).
  if (head_ >= 64 && head_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void WriteBuffer::clear() noexcept {
  std::vector<std::string>().swap(pieces_);
  head_ = 0;
  offset_ = 0;
  size_ = 0;
}

}  // namespace brio::net::detail
