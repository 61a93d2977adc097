// HTTP/1.1 requests out of a byte stream, without I/O (RFC 9112), strictly.
#pragma once

#include <brio/core/config.hpp>
#include <brio/http/message.hpp>
#include <brio/http/parser_limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace brio::http {

/// What a request was refused for, and the status to answer it with (aiohttp's
/// HttpProcessingError). The connection is of no use after it.
class BRIO_API HttpProcessingError : public std::runtime_error {
public:
  HttpProcessingError(int code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  HttpProcessingError(const HttpProcessingError&) = default;
  HttpProcessingError& operator=(const HttpProcessingError&) = default;
  ~HttpProcessingError() override;
  /// 400, 413, 414, 417, 431, 501 or 505.
  [[nodiscard]] int code() const noexcept { return code_; }

private:
  int code_;
};

/// A request up to its body, as it came.
struct ReceivedRequest {
  std::string method;                    ///< a token, case-sensitive: "GET"
  std::string target;                    ///< what was asked for, as it stood in the request line
  TargetForm form = TargetForm::origin;  ///< which of the four forms `target` has
  HttpVersion version;                   ///< 1.0 or 1.1
  Headers headers;                       ///< all fields, in order
};

/// Parses requests one after the other.
///
/// Feed it what came and act on each step; it takes no byte beyond the request, so what follows is
/// the next one's. Memory is kept from one request to the next: a connection that sends alike
/// requests makes it allocate nothing.
///
/// What two parsers could read as different messages is refused (request smuggling), with the
/// status that RFC 9110 and 9112 give it: Content-Length repeated, listed, signed or absurd, or
/// beside Transfer-Encoding; a Transfer-Encoding that is not exactly one `chunked`, or in HTTP/1.0;
/// a line that does not end with CRLF; a folded line; blanks before a colon or more than one
/// between the parts of the request line; control characters; a chunk size or extension outside of
/// the grammar; a Host that is missing, repeated or no host; framing fields among the trailers.
class BRIO_API RequestParser {
public:
  /// What feed comes back for.
  enum class Event {
    need_more,  ///< all input was taken and the next event is not there yet
    head,       ///< the head is in head()
    body,       ///< Step::body holds a part of the body
    complete,   ///< the request has ended; trailers() is final. Call next() before feeding again.
  };

  /// What feed says.
  struct Step {
    Event event;  ///< what happened
    /// How many bytes of the input were taken.
    std::size_t consumed;
    /// For Event::body, a view into the input of that call.
    std::string_view body;
  };

  explicit RequestParser(ParserLimits limits = server_limits()) : limits_(limits) {}

  /// What a server allows where nothing else is said: a line of 8,190 bytes, 100 fields, a head of
  /// 64 KiB, chunk extensions of 4 KiB, a body of 1 GiB.
  [[nodiscard]] static ParserLimits server_limits() noexcept;

  /// Takes input up to the next event. Call it again with the rest, also where that is empty, until
  /// it says need_more or complete.
  /// Throws HttpProcessingError; after that the parser, and the connection, are of no use.
  Step feed(std::string_view input);
  /// Begins the next request, once one is complete.
  void next() noexcept;

  /// The head; valid from Event::head to next().
  [[nodiscard]] ReceivedRequest& head() noexcept { return head_; }
  [[nodiscard]] const ReceivedRequest& head() const noexcept { return head_; }
  /// The fields after a chunked body, never merged into the head's (RFC 9110 §6.5.1).
  [[nodiscard]] Headers& trailers() noexcept { return trailers_; }
  /// True once a byte of a request has been taken and it is not complete.
  [[nodiscard]] bool got_some() const noexcept {
    return state_ != State::head || !unfinished_.empty();
  }
  /// Whether the request has ended.
  [[nodiscard]] bool is_complete() const noexcept { return state_ == State::complete; }
  /// The declared length of the body; 0 where there is none, nothing where it comes in chunks.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    if (chunked_) return std::nullopt;
    return length_;
  }
  /// Whether the body comes in chunks.
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }
  /// Whether a body follows the head.
  [[nodiscard]] bool has_body() const noexcept { return chunked_ || length_ > 0; }
  /// Whether the client waits for `100 Continue` before it sends the body.
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  /// Whether the client asks for another protocol on this connection (RFC 9110 §7.8).
  [[nodiscard]] bool wants_upgrade() const noexcept { return upgrade_ && connection_upgrade_; }
  /// Whether the connection may carry another request after this one (RFC 9112 §9.3).
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// Body bytes that a limit on the whole body allows still; see ParserLimits::max_body_size.
  void set_max_body_size(std::optional<std::uint64_t> size) noexcept {
    limits_.max_body_size = size;
  }

private:
  enum class State : std::uint8_t {
    head,
    length_body,
    chunk_line,
    chunk_body,
    chunk_end,
    trailers,
    complete
  };

  void begin_head() noexcept;
  // How many bytes the head takes, 0 where its end has not come.
  std::size_t parse_head(std::string_view data);
  std::size_t take_head(std::string_view input);
  std::size_t take_trailers(std::string_view input);
  std::size_t take_chunk_line(std::string_view input);
  void chunk_line(std::string_view line);
  void note_field(std::string_view name, std::string_view value);
  void note_connection(std::string_view value) noexcept;
  void judge_head();
  void count_body(std::uint64_t more);

  ParserLimits limits_;
  State state_ = State::head;
  bool chunked_ = false;
  bool has_length_ = false;
  bool expects_continue_ = false;
  bool upgrade_ = false;
  bool connection_upgrade_ = false;
  bool connection_close_ = false;
  bool connection_keep_alive_ = false;
  bool keep_alive_ = false;
  bool has_host_ = false;
  std::uint64_t length_ = 0;     // declared
  std::uint64_t left_ = 0;       // of the body or the chunk
  std::uint64_t body_size_ = 0;  // declared so far
  std::size_t extensions_ = 0;
  std::size_t line_at_ = 0;  // where the last line of an unfinished head begins
  std::string unfinished_;   // of a head, a chunk line or trailers
  ReceivedRequest head_;
  Headers trailers_;
};

}  // namespace brio::http
