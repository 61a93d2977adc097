// TLS as a layer: the protocol of a transport below, and a transport for the protocol above
// (asyncio.sslproto). Internal: programs meet it through `ssl` options and start_tls.
//
//     UNWRAPPED → DO_HANDSHAKE → WRAPPED → FLUSHING → SHUTDOWN → UNWRAPPED
//
// FLUSHING gives the application what has arrived before our close_notify, SHUTDOWN waits for the
// peer's. Any error leads straight to UNWRAPPED.
#pragma once

#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/net/tls_layer.hpp>
#include <brio/net/transport.hpp>
#include <brio/net/write_buffer.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <memory>

namespace brio::tls::detail {

class SSLProtocol final : public net::TLSLayer, public std::enable_shared_from_this<SSLProtocol> {
public:
  SSLProtocol(EventLoop& loop, std::shared_ptr<Protocol> app_protocol,
              std::shared_ptr<const SSLContext> context, Future<> waiter,
              net::TLSLayerOptions options);

  // ---- for the transport below

  void connection_made(std::shared_ptr<Transport> transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr exc) override;
  void pause_writing() override { lower_writing_paused_ = true; }
  void resume_writing() override;

  // ---- for net

  [[nodiscard]] std::shared_ptr<Transport> app_transport() override;
  void abandon() noexcept override;

private:
  enum class State { unwrapped, handshake, wrapped, flushing, shutdown };
  // What the protocol above has been told.
  enum class AppState { init, made, eof, lost };

  // The transport that the protocol above sees; a part of this object, and kept alive by it.
  class AppTransport final : public Transport {
  public:
    explicit AppTransport(SSLProtocol& tls) noexcept : tls_(tls) {}
    void close() override;
    [[nodiscard]] bool is_closing() const noexcept override;
    void abort() override { force_close(nullptr); }
    void force_close(std::exception_ptr exc) override;
    [[nodiscard]] std::any get_extra_info(std::string_view name) const override;
    [[nodiscard]] EventLoop& get_loop() const noexcept override;
    void abandon() noexcept override {}
    void set_protocol(std::shared_ptr<Protocol> protocol) override;
    [[nodiscard]] std::shared_ptr<Protocol> get_protocol() const override;
    [[nodiscard]] bool start_tls_compatible() const noexcept override { return true; }
    [[nodiscard]] bool is_reading() const noexcept override;
    void pause_reading() override;
    void resume_reading() override;
    void writelines(std::span<const std::string_view> pieces) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override { return false; }
    void set_write_buffer_limits(WriteBufferLimitsOptions options) override;
    [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override;
    [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override;

    bool closed_ = false;

  private:
    void write_bytes(std::string_view data, std::string* owned) override;
    SSLProtocol& tls_;
  };

  void set_app_protocol(std::shared_ptr<Protocol> protocol);
  void wake_waiter(std::exception_ptr error);
  void cancel_timers();

  void start_handshake();
  void do_handshake();
  void handshake_failed(std::exception_ptr error);
  void handshake_done();
  void handshake_timed_out();

  void start_shutdown();
  void do_flush();
  void do_shutdown();
  void shutdown_done();
  void shutdown_timed_out();
  void abort(std::exception_ptr error);

  bool accepts_writes();
  void write_app_data(std::string_view data, std::string* owned);
  void do_write();
  void send_outgoing();
  void force_outgoing();
  void control_app_writing();

  void do_read();
  void read_for_stream();
  void read_for_buffer(BufferedProtocol& protocol);
  void deliver(std::string_view data);
  void peer_closed();
  // True when a layer above keeps the connection.
  bool call_eof_received();
  void control_lower_reading();
  void resume_app_reading();

  void fatal_error(std::exception_ptr error, const char* message);
  void report(std::exception_ptr error, const char* message);
  [[nodiscard]] std::size_t write_buffer_size() const noexcept {
    return object_->outgoing_size() + backlog_.size();
  }
  [[nodiscard]] std::any get_extra_info(std::string_view name) const;

  brio::detail::Ref<brio::detail::LoopCore> loop_kept_;
  EventLoop* loop_;
  std::shared_ptr<const SSLContext> context_;
  std::unique_ptr<SSLObject> object_;
  std::shared_ptr<Protocol> app_protocol_;
  BufferedProtocol* app_buffered_ = nullptr;
  AppTransport app_transport_{*this};
  std::shared_ptr<Transport> transport_;  // below; null before connection_made and after the end
  Future<> waiter_;
  TimerHandle handshake_timer_;
  TimerHandle shutdown_timer_;
  Duration handshake_timeout_;
  Duration shutdown_timeout_;
  net::detail::WriteBuffer backlog_;  // plain text that waits for the handshake
  WriteBufferLimits write_limits_;
  State state_ = State::unwrapped;
  AppState app_state_;
  std::uint32_t late_writes_ = 0;
  bool handshake_done_ = false;
  bool eof_received_ = false;
  bool truncated_ = false;
  bool kept_by_layer_ = false;  // a TLS layer above has not delivered everything yet; it closes us
  bool app_reading_paused_ = false;
  bool app_writing_paused_ = false;
  bool lower_reading_paused_ = false;
  bool lower_writing_paused_ = false;
};

}  // namespace brio::tls::detail
