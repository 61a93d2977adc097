#include <brio/net/write_buffer.hpp>

#include <utility>

namespace brio::net::detail {

bool WriteBuffer::packs(std::size_t added) const noexcept {
  return added <= small_piece && queue_ && queue_->pieces.back().size() + added <= packed_piece;
}

void WriteBuffer::append(std::string_view data) {
  if (data.empty()) return;
  if (packs(data.size())) {
    queue_->pieces.back().append(data);
    queue_->size += data.size();
  } else {
    push(std::string(data), 0);
  }
}

void WriteBuffer::append(std::string&& data, std::size_t skip) {
  const std::size_t added = data.size() - skip;
  if (added == 0) return;
  // Only the first piece has an offset; a later one is cut instead.
  if (!empty() && (skip != 0 || packs(added))) {
    append(std::string_view(data).substr(skip));
  } else {
    push(std::move(data), skip);
  }
}

void WriteBuffer::push(std::string&& piece, std::size_t skip) {
  auto fresh = queue_ ? nullptr : std::make_unique<Queue>();
  Queue& queue = fresh ? *fresh : *queue_;
  const std::size_t added = piece.size() - skip;
  queue.pieces.push_back(std::move(piece));
  queue.size += added;
  if (!fresh) return;
  queue.offset = skip;
  queue_ = std::move(fresh);
}

std::size_t WriteBuffer::gather(iovec* out, std::size_t count) const noexcept {
  if (!queue_) return 0;
  std::size_t filled = 0;
  std::size_t offset = queue_->offset;
  for (std::size_t i = queue_->head; i < queue_->pieces.size() && filled < count; ++i) {
    // sendmsg does not write through it; iovec is shared with the reading calls.
    const std::string& piece = queue_->pieces[i];
    out[filled].iov_base = const_cast<char*>(piece.data()) + offset;
    out[filled].iov_len = piece.size() - offset;
    ++filled;
    offset = 0;
  }
  return filled;
}

void WriteBuffer::consume(std::size_t count) noexcept {
  if (count == size()) {
    clear();
    return;
  }
  Queue& queue = *queue_;
  queue.size -= count;
  while (count >= queue.pieces[queue.head].size() - queue.offset) {
    count -= queue.pieces[queue.head].size() - queue.offset;
    queue.pieces[queue.head] = std::string();
    ++queue.head;
    queue.offset = 0;
  }
  queue.offset += count;
  // The used-up front of the vector is dropped once it is the larger part: amortised O(1).
  if (queue.head >= 64 && queue.head * 2 >= queue.pieces.size()) {
    queue.pieces.erase(queue.pieces.begin(),
                       queue.pieces.begin() + static_cast<std::ptrdiff_t>(queue.head));
    queue.head = 0;
  }
}

}  // namespace brio::net::detail
