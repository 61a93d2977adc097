// HTTP/1.1 responses out of a byte stream, without I/O (RFC 9112).
#pragma once

#include <brio/http/errors.hpp>
#include <brio/http/message.hpp>
#include <brio/http/parser_limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace brio::http {

/// Parses one response, interim ones before it included, and stops at its end.
///
/// Feed it what came and act on each step; it takes no byte beyond the message, so what follows is
/// the next one's. It refuses what two parsers could read as different messages (request and
/// response smuggling): a Transfer-Encoding that is not exactly one `chunked` (also the obsolete
/// `identity`), or in HTTP/1.0, or beside Content-Length; Content-Lengths that differ; bare LF or
/// CR (RFC 9112 §2.2 lets a recipient take a bare LF, and does not ask it to); space before a
/// colon; junk around chunks. It takes, as curl does, what servers get wrong and all read alike: a
/// status line that ends with the code, without the space before an empty reason (RFC 9112 §4);
/// blanks behind a chunk's size or extensions (§7.1.1); the same Content-Length several times,
/// which head() has once (RFC 9110 §8.6). Line folding is read as a space (RFC 9112 §5.2).
class BRIO_API ResponseParser {
public:
  /// What feed comes back for.
  enum class Event {
    need_more,      ///< all input was taken and the next event is not there yet
    informational,  ///< a 1xx response, in head(); the final one is still to come
    head,           ///< the final response's head is in head()
    body,           ///< Step::body holds a part of the body
    complete,       ///< the message has ended; trailers() and keep_alive() are final
  };

  /// What feed says.
  struct Step {
    Event event;  ///< what happened
    /// How many bytes of the input were taken.
    std::size_t consumed;
    /// For Event::body, a view into the input of that call.
    std::string_view body;
  };

  /// What must be known of the request, and the limits.
  struct Options {
    /// The method of the request, because a response to HEAD has no body and one to CONNECT opens
    /// a tunnel (whatever follows its head is not HTTP).
    std::string_view method = "GET";
    /// Whether the request asked for an upgrade; without it a 101 is an error.
    bool upgrade = false;
    ParserLimits limits = {};  ///< see there
  };

  ResponseParser();
  explicit ResponseParser(const Options& options);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  /// Takes input up to the next event. Call it again with the rest, also where that is empty, until
  /// it says need_more or complete; after complete it takes nothing.
  /// Throws BadHttpMessage for what is no response or over a limit, PayloadTooLarge for the body's;
  /// after that the parser is of no use, and nor is the connection.
  Step feed(std::string_view input);

  /// Tells that the stream has ended. Ends a body that only the connection's end delimits; throws
  /// ServerDisconnectedError where no whole head had come, ClientPayloadError inside a body.
  void feed_eof();

  /// The last head that an event announced; the caller may move it away.
  [[nodiscard]] ResponseHead& head() noexcept;
  /// The fields after a chunked body. Never merged into the head's (RFC 9110 §6.5.1).
  [[nodiscard]] Headers& trailers() noexcept;
  /// Whether the message has ended.
  [[nodiscard]] bool is_complete() const noexcept;
  /// True once a byte of this response has been taken.
  [[nodiscard]] bool got_some() const noexcept;
  /// The declared length of the body; from Event::head on.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
  /// Whether the body comes in chunks; from Event::head on.
  [[nodiscard]] bool chunked() const noexcept;
  /// Whether a body follows the head, as far as the head tells.
  [[nodiscard]] bool has_body() const noexcept;
  /// Whether the connection speaks another protocol after the head (101, or 2xx to CONNECT).
  [[nodiscard]] bool upgraded() const noexcept;
  /// Whether the connection may carry another message once this one is complete.
  [[nodiscard]] bool keep_alive() const noexcept;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brio::http
