// UTF-8 that comes in pieces, checked as it comes.
#pragma once

#include <cstdint>
#include <string_view>

namespace brio::http::detail {

/// Tells at the first byte that no UTF-8 text can have there (RFC 3629: no surrogates, no overlong
/// forms, nothing above U+10FFFF).
class Utf8Validator {
public:
  /// Looks at the next piece. False from the first bad byte on.
  [[nodiscard]] bool feed(std::string_view text) noexcept;
  /// True where no character is left unfinished.
  [[nodiscard]] bool complete() const noexcept { return left_ == 0; }
  /// Ready for another text.
  void reset() noexcept { left_ = 0; }

private:
  unsigned left_ = 0;  // bytes that the character still wants
  // What the next one may be: narrower than 80 to bf only behind some first bytes.
  unsigned char low_ = 0x80;
  unsigned char high_ = 0xbf;
};

/// Whether all of `text` is UTF-8.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace brio::http::detail
