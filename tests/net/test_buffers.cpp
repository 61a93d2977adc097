#include <brio/net/read_buffer.hpp>
#include <brio/net/write_buffer.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <random>
#include <vector>

using brio::net::detail::ReadBuffer;
using brio::net::detail::SeparatorSearch;
using brio::net::detail::WriteBuffer;

namespace {
std::string gathered(const WriteBuffer& buffer) {
  iovec parts[1024];
  const std::size_t count = buffer.gather(parts, 1024);
  std::string all;
  for (std::size_t i = 0; i < count; ++i) {
    all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return all;
}

// The same search, without memory and without cleverness.
std::optional<SeparatorSearch::Match> plain_search(const std::string& text,
                                                   const std::vector<std::string>& separators) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::optional<SeparatorSearch::Match> best;
    for (const auto& separator : separators) {
      if (separator.size() > end) continue;
      if (text.compare(end - separator.size(), separator.size(), separator) != 0) continue;
      if (!best || end - separator.size() > best->start) best = {end - separator.size(), end};
    }
    if (best) return best;
  }
  return std::nullopt;
}
}  // namespace

TEST_CASE("write buffer: bytes leave in the order they came, in any pieces") {
  std::minstd_rand random(1);
  WriteBuffer buffer;
  std::string expected;
  for (int round = 0; round < 20000; ++round) {
    const std::size_t size = random() % (random() % 8 == 0 ? 40000U : 30U);
    std::string piece(size, static_cast<char>('a' + random() % 26));
    switch (random() % 5) {
      case 0: {
        const std::size_t skip = size == 0 ? 0 : random() % size;
        expected += piece.substr(skip);
        buffer.append(std::move(piece), skip);
        break;
      }
      case 1:
        expected += piece;
        buffer.append(std::string_view(piece));
        break;
      default: {
        const std::size_t count = expected.empty() ? 0 : random() % (expected.size() + 1);
        if (count != 0) buffer.consume(count);
        expected.erase(0, count);
      }
    }
    REQUIRE(buffer.size() == expected.size());
    REQUIRE(buffer.empty() == expected.empty());
    if (round % 50 == 0) REQUIRE(gathered(buffer) == expected.substr(0, gathered(buffer).size()));
  }
  buffer.clear();
  CHECK(buffer.empty());
  CHECK(gathered(buffer).empty());
}

TEST_CASE("write buffer: small pieces share one entry, large ones are not copied") {
  WriteBuffer buffer;
  for (int i = 0; i < 1000; ++i) buffer.append(std::string_view("0123456789"));
  iovec parts[8];
  CHECK(buffer.gather(parts, 8) == 1);
  std::string large(100000, 'x');
  const char* const data = large.data();
  buffer.append(std::move(large));
  REQUIRE(buffer.gather(parts, 8) == 2);
  CHECK(parts[1].iov_base == data);
  CHECK(buffer.size() == 110000);
  CHECK(buffer.gather(parts, 1) == 1);  // never more than asked for
}

TEST_CASE("write buffer: what was sent of the first piece is skipped without a copy") {
  WriteBuffer buffer;
  std::string large(100000, 'x');
  const char* const data = large.data();
  buffer.append(std::move(large), 99000);
  iovec part;
  REQUIRE(buffer.gather(&part, 1) == 1);
  CHECK(part.iov_base == data + 99000);
  CHECK(part.iov_len == 1000);
}

TEST_CASE("read buffer: takes from the front what was appended at the back") {
  std::minstd_rand random(2);
  ReadBuffer buffer;
  std::string expected;
  for (int round = 0; round < 20000; ++round) {
    const std::size_t count = random() % 300;
    switch (random() % 4) {
      case 0: {
        const std::string piece(count, static_cast<char>('a' + random() % 26));
        buffer.append(piece);
        expected += piece;
        break;
      }
      case 1: {
        const std::string taken = buffer.take(count);
        REQUIRE(taken == expected.substr(0, count));
        expected.erase(0, count);
        break;
      }
      case 2: {
        char out[300];
        const std::size_t taken = buffer.take_into(out, count);
        REQUIRE(std::string(out, taken) == expected.substr(0, count));
        expected.erase(0, count);
        break;
      }
      default: buffer.consume(count / 4); expected.erase(0, count / 4);
    }
    REQUIRE(buffer.view() == expected);
  }
  CHECK(buffer.take_all() == expected);
  CHECK(buffer.empty());
}

TEST_CASE("read buffer: taking everything moves the bytes instead of copying them") {
  ReadBuffer buffer;
  buffer.append(std::string(5000, 'x'));
  const char* const data = buffer.view().data();
  const std::string taken = buffer.take(100000);
  CHECK(taken.data() == data);
}

TEST_CASE("separator search: found across pieces, resumed where it stopped") {
  const std::vector<std::string> separators{"\r\n"};
  SeparatorSearch search(separators);
  CHECK_FALSE(search.find("abc\r").has_value());
  CHECK(search.scanned() == 3);
  const auto match = search.find("abc\r\ndef");
  REQUIRE(match.has_value());
  CHECK(match->start == 3);
  CHECK(match->end == 5);
}

TEST_CASE("separator search: the match that ends first wins, then the shortest") {
  const std::vector<std::string> separators{"abc", "c", "bcd"};
  SeparatorSearch search(separators);
  const auto match = search.find("xabcd");
  REQUIRE(match.has_value());
  CHECK(match->start == 3);
  CHECK(match->end == 4);
}

TEST_CASE("separator search: agrees with the plain search, whatever the pieces") {
  std::minstd_rand random(3);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> separators(1 + random() % 3);
    for (auto& separator : separators) {
      separator.assign(1 + random() % 3, 'a');
      for (char& c : separator) c = static_cast<char>('a' + random() % 2);
    }
    std::string text(random() % 20, 'a');
    for (char& c : text) c = static_cast<char>(random() % 5 == 0 ? 'a' + random() % 2 : 'z');
    SeparatorSearch search(separators);
    for (std::size_t size = 0;; size = std::min(text.size(), size + 1 + random() % 4)) {
      const std::string so_far = text.substr(0, size);
      const auto found = search.find(so_far);
      const auto expected = plain_search(so_far, separators);
      REQUIRE(found.has_value() == expected.has_value());
      if (found) {
        REQUIRE(found->start == expected->start);
        REQUIRE(found->end == expected->end);
        break;
      }
      if (size == text.size()) break;
    }
  }
}
