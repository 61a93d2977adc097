// What a ClientResponse and its readers share.
#pragma once

#include <brio/core/task.hpp>
#include <brio/http/client.hpp>
#include <brio/http/content_coding.hpp>
#include <brio/http/detail/exchange.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace brio::http::detail {

class ResponseState {
public:
  ResponseState(std::string method_, URL url_, ResponseHead head_)
      : method(std::move(method_)),
        real_url(std::move(url_)),
        url(real_url.with_fragment(std::nullopt)),
        head(std::move(head_)) {}

  std::string method;
  URL real_url;
  URL url;
  ResponseHead head;
  std::vector<RedirectStep> history;
  std::optional<std::uint64_t> content_length;
  std::uint64_t max_read_size = 0;

  /// The exchange, whose head was read; `decoder` undoes the content coding;
  /// `writer` sends a streamed body and is cancelled when the exchange is let go.
  void attach(std::shared_ptr<Exchange> exchange, std::optional<ContentDecoder> decoder,
              Task<> writer);
  /// See Exchange::upgrade; gives what is to be kept as long as the connection is used.
  std::shared_ptr<Exchange> upgrade(std::shared_ptr<Protocol> next);
  /// Lets go of the connection. A read under way fails.
  void release() noexcept;

  [[nodiscard]] bool at_eof() const noexcept { return ended_; }
  [[nodiscard]] const Headers& trailers() const noexcept {
    return exchange_ ? exchange_->trailers() : trailers_;
  }

  /// Up to `n` bytes, "" at the end.
  static Coro<std::string> read_some(std::shared_ptr<ResponseState> self, std::size_t n);
  /// All, kept for the next call.
  static Coro<std::string> read_all(std::shared_ptr<ResponseState> self);
  static AsyncGenerator<std::string> pieces(std::shared_ptr<ResponseState> self, std::size_t n);

private:
  bool decode(std::string& out, std::size_t n);
  void wire_ended();
  void let_go() noexcept;

  std::shared_ptr<Exchange> exchange_;
  Task<> writer_;
  std::optional<ContentDecoder> decoder_;
  std::string coded_;
  std::size_t coded_taken_ = 0;
  Headers trailers_;
  std::exception_ptr error_;
  std::optional<std::string> whole_;  // read_all's result
  std::string collected_;             // its work so far, kept through a cancellation
  bool reading_ = false;
  bool ended_ = false;
};

}  // namespace brio::http::detail
