// Just enough UTF-8: walking over code points and how wide they are on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace brio::cli {

/// A code point at the front of a text.
struct CodePoint {
  char32_t value = 0;
  /// Bytes that it takes; 1 for a byte that is no valid UTF-8.
  std::size_t length = 1;
  bool valid = false;
};
/// Reads the front of `text`, which must not be empty. Refuses overlong forms and surrogates.
CodePoint next_code_point(std::string_view text) noexcept;

/// Whether a character should never come from a stranger to a screen or a file name: controls, and
/// what changes the direction of writing (U+202A…, U+2066…) or is invisible (U+200B…, U+FEFF).
bool is_unprintable(char32_t c) noexcept;

/// Columns on a terminal: 2 for East Asian wide characters and emoji, 0 for combining ones.
int display_width(char32_t c) noexcept;
/// The same for a whole text.
int display_width(std::string_view text) noexcept;

/// Cuts in the middle ("long…name.txt") so that it takes at most `width` columns.
std::string ellipsised(std::string_view text, int width);
/// Fills up with spaces to `width` columns.
std::string padded(std::string text, int width);

}  // namespace brio::cli
