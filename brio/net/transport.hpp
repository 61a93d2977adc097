// Transports: a connection as the application commands it (asyncio.transports).
//
// A transport is made by create_connection, create_server and their kin, is shared by handle, and
// is kept alive by its loop until connection_lost. All of it belongs to the loop's thread.
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/protocol.hpp>

#include <any>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace brio {

class EventLoop;

/// What every transport can do (asyncio.BaseTransport).
class BRIO_API BaseTransport {
public:
  BaseTransport(const BaseTransport&) = delete;
  BaseTransport& operator=(const BaseTransport&) = delete;
  virtual ~BaseTransport();

  /// Closes: no more data is delivered, what is buffered is sent first, then connection_lost(null)
  /// follows through the loop. Harmless when repeated.
  virtual void close() = 0;
  /// True from close() or abort() or the connection's loss on.
  [[nodiscard]] virtual bool is_closing() const noexcept = 0;
  /// Closes at once and drops what is buffered; connection_lost(null) follows through the loop.
  virtual void abort() = 0;

  /// Facts about the connection, by asyncio's names; an empty any where there is none.
  ///
  /// | name | type | |
  /// |---|---|---|
  /// | "socket" | net::TransportSocket | |
  /// | "sockname", "peername" | net::SocketAddress | |
  /// | "sslcontext" | std::shared_ptr<const tls::SSLContext> | TLS |
  /// | "peercert" | tls::Certificate | TLS, when the peer showed one |
  /// | "cipher" | tls::Cipher | TLS |
  /// | "ssl_object" | const tls::SSLObject* | TLS; valid as long as the transport |
  /// | "truncated" | bool | TLS: the connection ended without close_notify |
  [[nodiscard]] virtual std::any get_extra_info(std::string_view name) const = 0;
  /// The same with the type known: `t->get_extra_info<net::SocketAddress>("peername")`. Nothing
  /// where there is no such fact or it has another type.
  template <class T>
  [[nodiscard]] std::optional<T> get_extra_info(std::string_view name) const {
    const std::any value = get_extra_info(name);
    if (const T* found = std::any_cast<T>(&value)) return *found;
    return std::nullopt;
  }

  /// The loop that it belongs to.
  [[nodiscard]] virtual EventLoop& get_loop() const noexcept = 0;

  /// The loop is closed and nobody will call back any more: give up descriptors and protocol
  /// without a word to either. For the loop's registry only.
  virtual void abandon() noexcept = 0;

protected:
  BaseTransport() = default;
};

/// Water marks of a write buffer, in bytes.
struct WriteBufferLimits {
  /// resume_writing when no more than this is buffered.
  std::size_t low = 0;
  /// pause_writing when more than this is buffered.
  std::size_t high = 0;
  friend bool operator==(const WriteBufferLimits&, const WriteBufferLimits&) = default;
};

/// Arguments of set_write_buffer_limits: what is left out is derived.
struct WriteBufferLimitsOptions {
  std::optional<std::ptrdiff_t> high = std::nullopt;  ///< default: 4·low, or 64 KiB (TLS: 512 KiB)
  std::optional<std::ptrdiff_t> low = std::nullopt;   ///< default: high/4
};

/// The reading half (asyncio.ReadTransport): what a StreamReader needs of its source.
class BRIO_API ReadTransport {
public:
  virtual ~ReadTransport();
  /// True unless paused or closing.
  [[nodiscard]] virtual bool is_reading() const noexcept = 0;
  /// No data_received until resume_reading. Harmless when paused or closing.
  virtual void pause_reading() = 0;
  /// Delivers again. Harmless when reading or closing.
  virtual void resume_reading() = 0;

protected:
  ReadTransport() = default;
  ReadTransport(const ReadTransport&) = default;
  ReadTransport& operator=(const ReadTransport&) = default;
};

/// The writing half (asyncio.WriteTransport).
class BRIO_API WriteTransport {
public:
  virtual ~WriteTransport();

  /// Sends `data`, now as far as the kernel takes it, the rest when it can. Never waits: watch
  /// pause_writing, or await StreamWriter::drain. After close() the data is dropped, and from the
  /// fifth such call on a warning is logged. Throws RuntimeError after write_eof() and while a
  /// sendfile is under way.
  void write(std::string_view data) { write_bytes(data, nullptr); }
  /// The same without a copy of what has to be buffered.
  void write(std::string&& data) { write_bytes(data, &data); }
  void write(const char* data) { write_bytes(data, nullptr); }
  /// Sends the pieces one after the other, in one system call where possible.
  virtual void writelines(std::span<const std::string_view> pieces) = 0;
  void writelines(std::initializer_list<std::string_view> pieces) {
    writelines(std::span<const std::string_view>(pieces.begin(), pieces.size()));
  }
  /// Ends our sending side once what is buffered is sent; reading goes on. Throws RuntimeError
  /// where can_write_eof() is false.
  virtual void write_eof() = 0;
  /// True for sockets and pipes, false over TLS.
  [[nodiscard]] virtual bool can_write_eof() const noexcept = 0;

  /// The protocol is told pause_writing when more than `high` bytes are buffered, resume_writing
  /// when no more than `low` are. Zero for `high` pauses on any buffered byte. Throws ValueError
  /// unless high ≥ low ≥ 0.
  virtual void set_write_buffer_limits(WriteBufferLimitsOptions options = {}) = 0;
  /// The water marks in force.
  [[nodiscard]] virtual WriteBufferLimits get_write_buffer_limits() const noexcept = 0;
  /// Bytes not yet taken by the kernel.
  [[nodiscard]] virtual std::size_t get_write_buffer_size() const noexcept = 0;

protected:
  WriteTransport() = default;
  WriteTransport(const WriteTransport&) = default;
  WriteTransport& operator=(const WriteTransport&) = default;
  /// write(): `owned`, when given, holds `data` and may be moved from.
  virtual void write_bytes(std::string_view data, std::string* owned) = 0;
};

/// A byte stream in both directions (asyncio.Transport). A one-way pipe is one too, so that one
/// Protocol class fits all: the half that it does not have throws RuntimeError.
class BRIO_API Transport : public BaseTransport, public ReadTransport, public WriteTransport {
public:
  /// Hands the connection to another protocol; neither is told. The old one hears no more.
  virtual void set_protocol(std::shared_ptr<Protocol> protocol) = 0;
  /// The protocol in charge; null after connection_lost.
  [[nodiscard]] virtual std::shared_ptr<Protocol> get_protocol() const = 0;

  /// abort() with an error for connection_lost. For layers that run over this transport.
  virtual void force_close(std::exception_ptr exc) = 0;
  /// True when start_tls can be used on this transport.
  [[nodiscard]] virtual bool start_tls_compatible() const noexcept { return false; }
};

/// A datagram socket (asyncio.DatagramTransport).
class BRIO_API DatagramTransport : public BaseTransport {
public:
  /// Sends one datagram to `addr`, or to the remote address that the endpoint was made with. What
  /// cannot be sent at once is queued. Errors of sending go to error_received, and the endpoint
  /// stays. Throws ValueError for an `addr` other than the endpoint's remote address.
  virtual void sendto(std::string_view data) = 0;
  virtual void sendto(std::string_view data, const net::SocketAddress& addr) = 0;
  /// As WriteTransport::set_write_buffer_limits.
  virtual void set_write_buffer_limits(WriteBufferLimitsOptions options = {}) = 0;
  /// The water marks in force.
  [[nodiscard]] virtual WriteBufferLimits get_write_buffer_limits() const noexcept = 0;
  /// Queued bytes, with 8 for each datagram's header.
  [[nodiscard]] virtual std::size_t get_write_buffer_size() const noexcept = 0;
};

namespace net::detail {

/// Water marks by asyncio's rules (transports._FlowControlMixin). Throws ValueError.
[[nodiscard]] BRIO_API WriteBufferLimits
make_write_buffer_limits(const WriteBufferLimitsOptions& options, std::size_t default_high);

}  // namespace net::detail

}  // namespace brio
