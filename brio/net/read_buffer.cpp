#include <brio/net/read_buffer.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace brio::net::detail {

void ReadBuffer::append(std::string_view data) {
  if (head_ != 0) {
    if (empty()) {
      clear();
    } else if (head_ >= size()) {
      // Moving what is left costs no more than what was taken before it: amortised O(1) a byte.
      bytes_.erase(0, head_);
      head_ = 0;
    }
  }
  bytes_.append(data);
}

void ReadBuffer::prepend(std::string&& data) {
  data.append(view());
  bytes_ = std::move(data);
  head_ = 0;
}

std::string ReadBuffer::take(std::size_t count) {
  if (count >= size()) {
    if (head_ != 0) bytes_.erase(0, head_);
    head_ = 0;
    return std::exchange(bytes_, std::string());
  }
  std::string taken(view().substr(0, count));
  head_ += count;
  return taken;
}

std::size_t ReadBuffer::take_into(char* out, std::size_t count) noexcept {
  count = std::min(count, size());
  if (count != 0) std::memcpy(out, bytes_.data() + head_, count);
  consume(count);
  return count;
}

void ReadBuffer::consume(std::size_t count) noexcept {
  if (count >= size()) {
    clear();
  } else {
    head_ += count;
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
