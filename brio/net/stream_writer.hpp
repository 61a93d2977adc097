// StreamWriter: push bytes into a connection (asyncio.StreamWriter).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/stream_flow.hpp>
#include <brio/net/stream_reader.hpp>
#include <brio/net/tls_layer.hpp>
#include <brio/net/transport.hpp>

#include <any>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace brio {

class StreamReaderProtocol;

/// How StreamWriter::start_tls is to go.
struct WriterStartTLSOptions {
  /// A client: the name to send and to check.
  std::string server_hostname = {};
  /// Default 60 s.
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;
  /// Default 30 s.
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;
  /// A client: an earlier connection's session (SSLObject::session()), to be resumed. ValueError
  /// when it is one of another context or host.
  std::shared_ptr<const net::TLSSession> ssl_session = nullptr;
};

/// The writing end of a stream. A handle: copies write to the same stream. When the last copy goes
/// and nobody has closed it, the transport is closed, in debug mode with a warning.
class BRIO_API StreamWriter {
public:
  /// `flow` belongs to the transport's protocol; `reader`, if given, tells drain() of its error.
  /// Writers over one flow are one stream: they close it when the last of them goes.
  StreamWriter(std::shared_ptr<Transport> transport, std::shared_ptr<StreamFlowControl> flow,
               std::optional<StreamReader> reader = std::nullopt);
  /// Over a StreamReaderProtocol.
  StreamWriter(std::shared_ptr<Transport> transport,
               const std::shared_ptr<StreamReaderProtocol>& protocol,
               std::optional<StreamReader> reader = std::nullopt);

  /// As Transport::write: never waits. Follow it with `co_await drain()`, so that a slow peer
  /// slows the writer down instead of filling the memory.
  void write(std::string_view data) const { at().write(data); }
  void write(std::string&& data) const { at().write(std::move(data)); }
  void write(const char* data) const { at().write(data); }
  /// As Transport::writelines.
  void writelines(std::span<const std::string_view> pieces) const { at().writelines(pieces); }
  /// The same.
  void writelines(std::initializer_list<std::string_view> pieces) const { at().writelines(pieces); }
  /// As Transport::write_eof.
  void write_eof() const { at().write_eof(); }
  /// As Transport::can_write_eof.
  [[nodiscard]] bool can_write_eof() const noexcept { return at().can_write_eof(); }

  /// Waits until the write buffer has drained to its low-water mark, if it went above the high one.
  /// Throws the stream's error, ConnectionResetError once the connection is lost. On a closing
  /// stream it gives the loop one turn, so that a loop of write and drain sees the loss.
  /// Cancellation changes nothing: what was written is sent.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> drain() const { return drain_of(*this); }

  /// As Transport::close: what was written is sent first.
  void close() const { at().close(); }
  /// As BaseTransport::is_closing.
  [[nodiscard]] bool is_closing() const noexcept { return at().is_closing(); }
  /// Waits until the connection is gone after close(). Throws the error that it ended with.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> wait_closed() const {
    return StreamFlowControl::wait_closed(flow_);
  }

  /// As BaseTransport::get_extra_info.
  [[nodiscard]] std::any get_extra_info(std::string_view name) const {
    return at().get_extra_info(name);
  }
  template <class T>
  [[nodiscard]] std::optional<T> get_extra_info(std::string_view name) const {
    return at().get_extra_info<T>(name);
  }

  /// Upgrades the stream to TLS: reader and writer go on, encrypted. Drains first. A writer made
  /// by a server takes the server's side. Throws as brio::start_tls, which also closes.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<void> start_tls(
      std::shared_ptr<const net::TLSContext> sslcontext, WriterStartTLSOptions options = {}) const {
    return start_tls_of(*this, std::move(sslcontext), std::move(options));
  }

  /// The transport beneath; another one after start_tls.
  [[nodiscard]] const std::shared_ptr<Transport>& transport() const noexcept {
    return flow_->transport_;
  }

  StreamWriter(const StreamWriter& other) noexcept : flow_(other.flow_) { count(); }
  StreamWriter(StreamWriter&& other) noexcept = default;
  StreamWriter& operator=(StreamWriter other) noexcept {
    flow_.swap(other.flow_);
    return *this;
  }
  ~StreamWriter() {
    if (flow_ && --flow_->writers_ == 0) flow_->drop_transport();
  }

private:
  void count() const noexcept {
    if (flow_) ++flow_->writers_;
  }
  // By value: what waits is a writer, too.
  static Coro<void> drain_of(StreamWriter self);
  static Coro<void> start_tls_of(StreamWriter self,
                                 std::shared_ptr<const net::TLSContext> sslcontext,
                                 WriterStartTLSOptions options);
  [[nodiscard]] Transport& at() const noexcept { return *flow_->transport_; }

  std::shared_ptr<StreamFlowControl> flow_;
};

}  // namespace brio
