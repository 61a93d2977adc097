#include "get/utf8.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace brio::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t Size>
bool in(const std::array<Range, Size>& ranges, char32_t c) noexcept {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

// Unicode's East Asian Width W and F, in blocks.
constexpr std::array<Range, 12> wide{{{0x1100, 0x115f},
                                      {0x2e80, 0x303e},
                                      {0x3041, 0x33ff},
                                      {0x3400, 0x4dbf},
                                      {0x4e00, 0x9fff},
                                      {0xa000, 0xa4cf},
                                      {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},
                                      {0xff00, 0xff60},
                                      {0x1f300, 0x1faff},
                                      {0x20000, 0x3fffd}}};
constexpr std::array<Range, 5> combining{
    {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 8> unprintable{{{0x0000, 0x001f},
                                            {0x007f, 0x009f},
                                            {0x061c, 0x061c},
                                            {0x200b, 0x200f},
                                            {0x2028, 0x202e},
                                            {0x2060, 0x206f},
                                            {0xfeff, 0xfeff},
                                            {0xfff9, 0xffff}}};

}  // namespace

CodePoint next_code_point(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1, true};
  std::size_t length = 0;
  char32_t value = 0;
  char32_t smallest = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2, value = first & 0x1f, smallest = 0x80;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3, value = first & 0x0f, smallest = 0x800;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4, value = first & 0x07, smallest = 0x10000;
  } else {
    return {};
  }
  if (text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest || surrogate || value > 0x10ffff) return {};
  return {value, length, true};
}

bool is_unprintable(char32_t c) noexcept { return in(unprintable, c); }

int display_width(char32_t c) noexcept {
  if (in(combining, c)) return 0;
  return in(wide, c) ? 2 : 1;
}

int display_width(std::string_view text) noexcept {
  int width = 0;
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    width += point.valid ? display_width(point.value) : 1;
    text.remove_prefix(point.length);
  }
  return width;
}

std::string ellipsised(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  if (width <= 0) return {};
  std::vector<std::string_view> points;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = next_code_point(rest).length;
    points.push_back(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  std::string front;
  std::string back;
  int room = width - 1;
  std::size_t from = 0;
  std::size_t to = points.size();
  // Alternately from both ends, until the next one does not fit.
  for (bool at_front = true; from < to; at_front = !at_front) {
    const std::string_view point = at_front ? points[from] : points[to - 1];
    const int columns = display_width(point);
    if (columns > room) break;
    room -= columns;
    if (at_front) {
      front += point;
      ++from;
    } else {
      back.insert(0, point);
      --to;
    }
  }
  return front + "…" + back;
}

std::string padded(std::string text, int width) {
  const int missing = width - display_width(text);
  if (missing > 0) text.append(static_cast<std::size_t>(missing), ' ');
  return text;
}

}  // namespace brio::cli
