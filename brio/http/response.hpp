// ClientResponse: a response's head, and its body to come.
#pragma once

#include <brio/core/async_generator.hpp>
#include <brio/core/coro.hpp>
#include <brio/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace brio::http {

class ClientSession;

namespace detail {
class ResponseState;
class SessionState;
}  // namespace detail

/// A response that was a redirect, on the way to the final one.
struct RedirectStep {
  URL url;            ///< what was asked for
  ResponseHead head;  ///< what came
};

/// The body of a response as it comes (aiohttp's `response.content`). Every call may be cancelled
/// without a loss; one at a time.
class BRIO_API ResponseContent {
public:
  /// Up to `n` bytes, as soon as there are some; "" at the end. Throws ClientPayloadError for a
  /// body cut short or damaged, PayloadTooLarge for one that explodes, SocketTimeoutError,
  /// TimeoutError, ClientOSError.
  [[nodiscard]] Coro<std::string> read(std::size_t n) const;
  /// What is there, at least a byte; "" at the end.
  [[nodiscard]] Coro<std::string> readany() const;
  /// Pieces of up to `n` bytes. May outlive the response object only to fail.
  [[nodiscard]] AsyncGenerator<std::string> iter_chunked(std::size_t n) const;
  /// Pieces as they come.
  [[nodiscard]] AsyncGenerator<std::string> iter_any() const;
  /// Whether all has been read.
  [[nodiscard]] bool at_eof() const noexcept;

private:
  friend class ClientResponse;
  explicit ResponseContent(std::shared_ptr<detail::ResponseState> state)
      : state_(std::move(state)) {}
  std::shared_ptr<detail::ResponseState> state_;
};

/// A response: its head, and its body to come (aiohttp.ClientResponse). Move-only. Once the body
/// has been read to its end, or the object goes, its connection is given back; where there was more
/// to come it is closed.
class BRIO_API ClientResponse {
public:
  ClientResponse(ClientResponse&&) noexcept = default;
  ClientResponse& operator=(ClientResponse&& other) noexcept;
  ~ClientResponse();

  /// 100 to 999.
  [[nodiscard]] int status() const noexcept;
  /// True below 400.
  [[nodiscard]] bool ok() const noexcept { return status() < 400; }
  /// The reason phrase, perhaps empty.
  [[nodiscard]] const std::string& reason() const noexcept;
  /// What the server spoke.
  [[nodiscard]] HttpVersion version() const noexcept;
  /// The method of the last request.
  [[nodiscard]] const std::string& method() const noexcept;
  /// What was asked for in the end, without fragment.
  [[nodiscard]] const URL& url() const noexcept;
  /// The same with its fragment.
  [[nodiscard]] const URL& real_url() const noexcept;
  /// The whole head.
  [[nodiscard]] const ResponseHead& head() const noexcept;
  /// The head's fields.
  [[nodiscard]] const Headers& headers() const noexcept;
  /// The redirects that led here, in order.
  [[nodiscard]] const std::vector<RedirectStep>& history() const noexcept;
  /// The Content-Type without parameters, in lower case; "application/octet-stream" for none.
  [[nodiscard]] std::string content_type() const;
  /// The Content-Type's charset in lower case, or nothing.
  [[nodiscard]] std::optional<std::string> charset() const;
  /// The body's declared length on the wire.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
  /// The fields after the body; complete once it has been read.
  [[nodiscard]] const Headers& trailers() const noexcept;

  /// The body as it comes.
  [[nodiscard]] ResponseContent content() const { return ResponseContent(state_); }
  /// The whole body; kept, so that it may be asked for again. Throws as ResponseContent::read, and
  /// PayloadTooLarge over the session's max_read_size.
  [[nodiscard]] Coro<std::string> read() const;
  /// The whole body as UTF-8, converted from `encoding`, else from its charset, else from UTF-8.
  /// Throws as read(), LookupError for an unknown charset, ValueError for bytes that are none of
  /// it.
  [[nodiscard]] Coro<std::string> text(std::optional<std::string> encoding = std::nullopt) const;

  /// Throws ClientResponseError and closes for a status of 400 or above.
  void raise_for_status() const;
  /// Gives the connection back, or closes it where the body has not been read.
  void release() const noexcept;

private:
  friend class detail::SessionState;
  friend class ClientSession;
  explicit ClientResponse(std::shared_ptr<detail::ResponseState> state);
  std::shared_ptr<detail::ResponseState> state_;
};

}  // namespace brio::http
