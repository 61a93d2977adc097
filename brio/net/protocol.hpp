// Protocols: what an application is told about a connection (asyncio.protocols).
//
// A transport calls its protocol from the loop, in this order and never otherwise:
//
//     connection_made  (data_received* | buffer_updated*)  eof_received?  connection_lost
//
// with pause_writing and resume_writing in turns in between. connection_lost comes exactly once,
// last, and never from inside a call of the transport's.
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string_view>

namespace brio {

class Transport;
class DatagramTransport;
class BufferedProtocol;
namespace net {
class SocketAddress;
}

/// What every protocol can be told (asyncio.BaseProtocol). Each default does nothing.
class BRIO_API BaseProtocol {
public:
  BaseProtocol() = default;
  BaseProtocol(const BaseProtocol&) = delete;
  BaseProtocol& operator=(const BaseProtocol&) = delete;
  virtual ~BaseProtocol();

  /// The connection is gone; no further call will come. `exc` is null after a regular end or
  /// after our own close or abort, and the error otherwise.
  virtual void connection_lost(std::exception_ptr exc);
  /// The transport's write buffer went above its high-water mark: stop writing.
  virtual void pause_writing();
  /// The write buffer has drained to the low-water mark.
  virtual void resume_writing();
};

/// A protocol on a byte stream (asyncio.Protocol).
///
/// What data_received, eof_received or a buffer call throws is reported to the loop's exception
/// handler and ends the connection; connection_lost then gets that error.
class BRIO_API Protocol : public BaseProtocol {
public:
  /// The connection stands. `transport` is to be kept for writing; the loop keeps it alive until
  /// connection_lost in any case.
  virtual void connection_made(std::shared_ptr<Transport> transport);
  /// Bytes from the peer, as they came: no framing. `data` is lent from the loop's buffer and is
  /// valid until this call returns.
  virtual void data_received(std::string_view data);
  /// The peer has ended its sending side. True keeps our sending side open, false (the default)
  /// closes the transport. Over TLS the answer has no effect: the connection is closed.
  virtual bool eof_received();

  /// The BufferedProtocol that this is, or null; asked once by set_protocol.
  [[nodiscard]] virtual BufferedProtocol* as_buffered() noexcept { return nullptr; }
};

/// A protocol that provides the memory into which the transport reads (asyncio.BufferedProtocol).
/// data_received is never called.
class BRIO_API BufferedProtocol : public Protocol {
public:
  /// Memory for the next read, which must stay valid until buffer_updated or the next call of
  /// this. `sizehint` is the size wished for, negative where none is. An empty span is an error.
  [[nodiscard]] virtual std::span<char> get_buffer(std::ptrdiff_t sizehint) = 0;
  /// `nbytes` bytes were written to the beginning of that memory.
  virtual void buffer_updated(std::size_t nbytes) = 0;

  /// Never called on this kind of protocol.
  void data_received(std::string_view data) final;
  /// This.
  [[nodiscard]] BufferedProtocol* as_buffered() noexcept final { return this; }
};

/// A protocol on datagrams (asyncio.DatagramProtocol).
class BRIO_API DatagramProtocol : public BaseProtocol {
public:
  /// The endpoint stands.
  virtual void connection_made(std::shared_ptr<DatagramTransport> transport);
  /// One datagram, possibly empty; `data` is valid until this call returns.
  virtual void datagram_received(std::string_view data, const net::SocketAddress& addr);
  /// An earlier send or receive failed (for example because nobody listens); the endpoint stays.
  virtual void error_received(std::exception_ptr exc);
};

}  // namespace brio
