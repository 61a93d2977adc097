// The transport of a datagram socket.
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/future.hpp>
#include <brio/net/stream_io.hpp>
#include <brio/net/transport.hpp>
#include <brio/net/write_flow.hpp>

#include <deque>
#include <memory>
#include <string>

namespace brio::net::detail {

/// asyncio's _SelectorDatagramTransport.
class BRIO_API DatagramSocketTransport final
    : public DatagramTransport,
      public std::enable_shared_from_this<DatagramSocketTransport>,
      private StreamIO::Owner {
  struct Private {};

public:
  /// Takes over a socket. `remote` is the one peer, unspecified for none. Queues connection_made,
  /// the start of reading and the completion of `waiter`, in this order.
  static std::shared_ptr<DatagramSocketTransport> create(EventLoop& loop, Socket socket,
                                                         std::shared_ptr<DatagramProtocol> protocol,
                                                         SocketAddress remote, Future<> waiter);
  DatagramSocketTransport(Private, EventLoop& loop, Socket socket,
                          std::shared_ptr<DatagramProtocol> protocol, SocketAddress remote);
  ~DatagramSocketTransport() override;

  void close() override;
  [[nodiscard]] bool is_closing() const noexcept override { return closing_; }
  void abort() override { force_close(nullptr); }
  using BaseTransport::get_extra_info;
  [[nodiscard]] std::any get_extra_info(std::string_view name) const override;
  [[nodiscard]] EventLoop& get_loop() const noexcept override { return io_.loop(); }
  void abandon() noexcept override;

  void sendto(std::string_view data) override;
  void sendto(std::string_view data, const SocketAddress& addr) override;
  void set_write_buffer_limits(WriteBufferLimitsOptions options) override;
  [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override {
    return flow_.limits();
  }
  [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override { return size_; }

private:
  struct Datagram {
    std::string data;
    SocketAddress addr;
  };

  void begin(Future<> waiter);
  void io_readable() override;
  void io_writable() override;
  // An errno, or 0 when the datagram is on its way.
  [[nodiscard]] int try_send(std::string_view data, const SocketAddress& addr) noexcept;
  void send_or_queue(std::string_view data, const SocketAddress& addr);
  void error_received(int error, const std::string& operation);
  void buffer_grew();
  void buffer_shrank();
  void force_close(std::exception_ptr exc);
  void call_connection_lost(const std::exception_ptr& exc);
  void report(std::exception_ptr exc, const char* message);

  StreamIO io_;
  std::shared_ptr<DatagramProtocol> protocol_;
  SocketAddress remote_;
  SocketAddress sockname_;
  bool connected_ = false;  // the kernel knows the peer
  brio::detail::ContextSlot context_;
  std::deque<Datagram> queue_;
  std::size_t size_ = 0;
  WriteFlow flow_;
  std::uint32_t conn_lost_ = 0;
  bool closing_ = false;
};

}  // namespace brio::net::detail
