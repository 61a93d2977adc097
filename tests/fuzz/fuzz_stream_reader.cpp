// Any bytes in any pieces into a StreamReader's buffer: what readuntil finds does not depend on
// how the bytes were cut, and agrees with a search that has no memory.
#include <brio/net/read_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using brio::net::detail::ReadBuffer;
using brio::net::detail::SeparatorSearch;

namespace {

void require(bool held) {
  if (!held) std::abort();
}

// The first end of a separator in `text`, and of those that end there the shortest one.
std::optional<SeparatorSearch::Match> plain_search(std::string_view text,
                                                   const std::vector<std::string>& separators) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::optional<SeparatorSearch::Match> best;
    for (const std::string& separator : separators) {
      if (!text.substr(0, end).ends_with(separator)) continue;
      const std::size_t start = end - separator.size();
      if (!best || start > best->start) best = {start, end};
    }
    if (best) return best;
  }
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  // Two separators and the length of the pieces come from the first bytes.
  const std::size_t step = 1 + data[0] % 7;
  const std::size_t first = 1 + data[1] % 3;
  const std::size_t second = 1 + data[2] % 3;
  std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (rest.size() < first + second) return 0;
  const std::vector<std::string> separators{std::string(rest.substr(0, first)),
                                            std::string(rest.substr(first, second))};
  rest.remove_prefix(first + second);

  std::vector<std::string> expected;
  for (std::string_view left = rest;;) {
    const auto match = plain_search(left, separators);
    if (!match) break;
    expected.emplace_back(left.substr(0, match->end));
    left.remove_prefix(match->end);
  }

  ReadBuffer buffer;
  std::vector<std::string> found;
  std::size_t fed = 0;
  SeparatorSearch search(separators);
  for (;;) {
    if (const auto match = search.find(buffer.view())) {
      require(match->start < match->end && match->end <= buffer.size());
      found.push_back(buffer.take(match->end));
      search = SeparatorSearch(separators);
      continue;
    }
    require(search.scanned() <= buffer.size());
    if (fed == rest.size()) break;
    const std::string_view piece = rest.substr(fed, step);
    buffer.append(piece);
    fed += piece.size();
  }
  // A piece at a time can only find what the whole text has, in the same places.
  require(found == expected);
  std::string all;
  for (const std::string& line : found) all += line;
  all += buffer.take_all();
  require(all == rest);
  return 0;
}
