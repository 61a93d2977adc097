#include <brio/net/read_buffer.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace brio::net::detail {

void ReadBuffer::append(std::string_view data) {
  if (data.empty()) return;
  if (!kept_) {
    auto fresh = std::make_unique<Kept>();
    fresh->bytes = data;
    kept_ = std::move(fresh);
    return;
  }
  if (kept_->head >= size()) {
    // Moving what is left costs no more than what was taken before it: amortised O(1) a byte.
    kept_->bytes.erase(0, kept_->head);
    kept_->head = 0;
  }
  kept_->bytes.append(data);
}

void ReadBuffer::prepend(std::string&& data) {
  data.append(view());
  if (data.empty()) return;
  if (!kept_) kept_ = std::make_unique<Kept>();
  kept_->bytes = std::move(data);
  kept_->head = 0;
}

std::string ReadBuffer::take(std::size_t count) {
  if (!kept_) return {};
  if (count < size()) {
    std::string taken(view().substr(0, count));
    kept_->head += count;
    return taken;
  }
  const std::unique_ptr<Kept> kept = std::move(kept_);
  if (kept->head != 0) kept->bytes.erase(0, kept->head);
  return std::move(kept->bytes);
}

std::size_t ReadBuffer::take_into(char* out, std::size_t count) noexcept {
  count = std::min(count, size());
  if (count != 0) std::memcpy(out, view().data(), count);
  consume(count);
  return count;
}

void ReadBuffer::consume(std::size_t count) noexcept {
  if (count >= size()) {
    clear();
  } else {
    kept_->head += count;
  }
}

SeparatorSearch::SeparatorSearch(std::span<const std::string> separators) noexcept
    : separators_(separators), shortest_(separators[0].size()), longest_(separators[0].size()) {
  for (const std::string& separator : separators_) {
    shortest_ = std::min(shortest_, separator.size());
    longest_ = std::max(longest_, separator.size());
  }
}

std::optional<SeparatorSearch::Match> SeparatorSearch::find(std::string_view buffer) {
  if (buffer.size() < offset_ + shortest_) return std::nullopt;
  std::optional<Match> best;
  for (const std::string& separator : separators_) {
    // Nothing that ends behind the best match so far needs to be looked at.
    const std::string_view within = best ? buffer.substr(0, best->end) : buffer;
    const std::size_t start = within.find(separator, offset_);
    if (start == within.npos) continue;
    const Match match{start, start + separator.size()};
    if (!best || match.end < best->end || match.start > best->start) best = match;
  }
  // The last bytes may be the beginning of the longest separator, all but its end.
  if (!best && buffer.size() + 1 > longest_) offset_ = buffer.size() + 1 - longest_;
  return best;
}

}  // namespace brio::net::detail
