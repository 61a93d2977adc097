// The transport of a stream socket: flow control, buffering and the order of events over StreamIO.
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/future.hpp>
#include <brio/net/stream_io.hpp>
#include <brio/net/transport.hpp>
#include <brio/net/write_buffer.hpp>
#include <brio/net/write_flow.hpp>

#include <memory>

namespace brio {
class Server;
}

namespace brio::net::detail {

/// asyncio's _SelectorSocketTransport.
class BRIO_API SocketTransport final : public Transport,
                                       public std::enable_shared_from_this<SocketTransport>,
                                       private StreamIO::Owner {
  struct Private {};

public:
  /// Takes over a connected socket. Queues, in this order: connection_made, the start of reading,
  /// the completion of `waiter` (if there is one). `peer` saves a system call when it is known.
  static std::shared_ptr<SocketTransport> create(EventLoop& loop, Socket socket,
                                                 std::shared_ptr<Protocol> protocol,
                                                 Future<> waiter = {},
                                                 const SocketAddress& peer = {},
                                                 std::shared_ptr<Server> server = nullptr);
  SocketTransport(Private, EventLoop& loop, Socket socket, std::shared_ptr<Protocol> protocol,
                  const SocketAddress& peer);
  ~SocketTransport() override;

  void close() override;
  [[nodiscard]] bool is_closing() const noexcept override { return closing_; }
  void abort() override { force_close(nullptr); }
  void force_close(std::exception_ptr exc) override;
  using BaseTransport::get_extra_info;
  [[nodiscard]] std::any get_extra_info(std::string_view name) const override;
  [[nodiscard]] EventLoop& get_loop() const noexcept override { return io_.loop(); }
  void abandon() noexcept override;

  void set_protocol(std::shared_ptr<Protocol> protocol) override;
  [[nodiscard]] std::shared_ptr<Protocol> get_protocol() const override { return protocol_; }
  [[nodiscard]] bool start_tls_compatible() const noexcept override { return true; }

  [[nodiscard]] bool is_reading() const noexcept override { return !closing_ && !paused_; }
  void pause_reading() override;
  void resume_reading() override;

  using WriteTransport::writelines;
  void writelines(std::span<const std::string_view> pieces) override;
  void write_eof() override;
  [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
  void set_write_buffer_limits(WriteBufferLimitsOptions options) override;
  [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override {
    return flow_.limits();
  }
  [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override {
    return buffer_.size();
  }

  // ---- for sendfile

  [[nodiscard]] int fileno() const noexcept { return io_.socket().fileno(); }
  [[nodiscard]] bool owned_by(const Server& server) const noexcept {
    return server_.get() == &server;
  }
  /// Bars writes and is completed once everything buffered is sent. Throws RuntimeError if there
  /// is one already.
  [[nodiscard]] Future<> make_empty_waiter();
  /// Completed when the socket is writable; fails when the transport is closed. Only between
  /// make_empty_waiter and reset_empty_waiter, with nothing buffered.
  [[nodiscard]] Future<> wait_writable();
  /// Writes are allowed again.
  void reset_empty_waiter();

private:
  void write_bytes(std::string_view data, std::string* owned) override;
  void io_readable() override;
  void io_writable() override;

  void begin(Future<> waiter, std::shared_ptr<Server> server);
  void read_into_loan();
  void read_into_protocol(BufferedProtocol& protocol);
  void received_eof();
  // May writes be taken? Counts those that come too late.
  bool writable(const char* operation);
  void buffer_grew();
  void buffer_shrank();
  void send_failed(int error);
  void schedule_connection_lost(std::exception_ptr exc);
  void call_connection_lost(const std::exception_ptr& exc);
  void fatal_error(std::exception_ptr exc, const char* message);
  void report(std::exception_ptr exc, const char* message);
  [[nodiscard]] std::exception_ptr lost_during_sendfile() const;
  void remember_sockname() const;
  [[nodiscard]] std::string peer_text() const;

  // What few connections need at any one time: an idle one pays for a pointer.
  struct Seldom {
    SocketAddress sockname;  // when first asked for, and at the end
    Future<> empty_waiter;   // a sendfile waits for the buffer to drain
  };
  [[nodiscard]] Seldom& seldom() const;
  [[nodiscard]] bool sending_file() const noexcept { return seldom_ && seldom_->empty_waiter; }
  void wake_empty_waiter();

  StreamIO io_;
  std::shared_ptr<Protocol> protocol_;
  std::shared_ptr<Server> server_;
  brio::detail::ContextSlot context_;
  WriteBuffer buffer_;
  SocketAddress peer_;
  mutable std::unique_ptr<Seldom> seldom_;
  [[no_unique_address]] WriteFlow flow_;  // its last bytes hold what follows
  bool closing_ : 1 = false;              // close() was called, or more
  bool paused_ : 1 = false;               // reading, by pause_reading()
  bool eof_ : 1 = false;                  // write_eof() was called
  bool eof_received_ : 1 = false;
  bool buffered_ : 1 = false;    // protocol_ is a BufferedProtocol
  std::uint32_t conn_lost_ = 0;  // connection_lost is queued or called; then counts late writes
};

/// Is it an OSError? Such end a connection without a report, as in asyncio.
[[nodiscard]] BRIO_API bool is_oserror(const std::exception_ptr& error) noexcept;
/// The exception that is being handled. Throws it on if it belongs to the fatal family.
[[nodiscard]] BRIO_API std::exception_ptr current_ordinary_exception();

}  // namespace brio::net::detail
