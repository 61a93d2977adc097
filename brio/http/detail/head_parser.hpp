// Reads the lines of a head where they lie: request line and fields (RFC 9112 §3, §5).
#pragma once

#include <brio/http/headers.hpp>
#include <brio/http/message.hpp>
#include <brio/http/parser_limits.hpp>

#include <cstddef>
#include <string_view>

namespace brio::http::detail {

/// Goes through a head line by line. Each call reads one line or says that it is not whole yet;
/// nothing is kept in between, so the caller begins again once more has come.
/// Throws HttpProcessingError for what breaks the grammar or a limit.
class HeadParser {
public:
  HeadParser(std::string_view data, const ParserLimits& limits) noexcept
      : data_(data), limits_(limits) {}

  /// The parts of a request line.
  struct RequestLine {
    std::string_view method;
    std::string_view target;
    HttpVersion version;
  };

  /// Skips the empty line that some clients send behind a body (RFC 9112 §2.2). False where more
  /// must come to tell.
  [[nodiscard]] bool skip_empty_line();
  /// False where the line is not whole.
  [[nodiscard]] bool request_line(RequestLine& line);
  /// What a field line came to.
  enum class Line { partial, field, end };
  /// The next field, or the empty line that ends the section. The views lie in the data.
  [[nodiscard]] Line field_line(std::string_view& name, std::string_view& value);
  /// How many bytes were read.
  [[nodiscard]] std::size_t position() const noexcept { return at_; }

  /// Puts a field that was read from `section` into `fields`, which store() then gives the text.
  static void note(Headers& fields, std::string_view section, std::string_view name,
                   std::string_view value);
  /// The text that the noted fields lie in.
  static void store(Headers& fields, std::string_view section) { fields.text_.assign(section); }

private:
  [[nodiscard]] Line ended_early(std::size_t line_began, std::size_t limit, int status,
                                 const char* what) const;

  std::string_view data_;
  const ParserLimits& limits_;
  std::size_t at_ = 0;
};

}  // namespace brio::http::detail
