#include <brio/tls/protocol.hpp>

#include <brio/core/logging.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/system_calls.hpp>
#include <brio/tls/reasons.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace brio::tls::detail {

using net::detail::current_ordinary_exception;
using net::detail::is_oserror;
using net::detail::late_writes_before_warning;

namespace {

constexpr std::size_t write_high_water = 512 * 1024;

Duration positive(std::optional<Duration> given, Duration fallback, const char* name) {
  if (!given) return fallback;
  if (*given <= Duration::zero()) {
    throw ValueError(std::string(name) + " should be a positive number");
  }
  return *given;
}

std::string name_of_peer(const Transport& transport) {
  const auto address = transport.get_extra_info<net::SocketAddress>("peername");
  // One end of a socketpair has no name.
  if (!address || address->family() == AF_UNSPEC) return {};
  if (address->family() == AF_UNIX && address->path().empty()) return {};
  return printable(address->to_string());
}

std::string in_seconds(Duration duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

SSLProtocol::SSLProtocol(EventLoop& loop, std::shared_ptr<Protocol> app_protocol,
                         std::shared_ptr<const SSLContext> context, Future<> waiter,
                         net::TLSLayerOptions options)
    : loop_kept_(&loop),
      loop_(&loop),
      context_(std::move(context)),
      waiter_(std::move(waiter)),
      handshake_timeout_(positive(options.ssl_handshake_timeout, std::chrono::seconds(60),
                                  "ssl_handshake_timeout")),
      shutdown_timeout_(
          positive(options.ssl_shutdown_timeout, std::chrono::seconds(30), "ssl_shutdown_timeout")),
      write_limits_(net::detail::make_write_buffer_limits({}, write_high_water)),
      app_state_(options.call_connection_made ? AppState::init : AppState::made) {
  if (options.server_side && context_->role() == Role::client) {
    throw ValueError("a client's SSLContext cannot serve");
  }
  if (!options.server_side && context_->role() == Role::server) {
    throw ValueError("a server's SSLContext cannot connect");
  }
  object_ = context_->wrap(options.server_side ? std::string() : options.server_hostname,
                           options.session.get());
  object_->feed(options.received);
  set_app_protocol(std::move(app_protocol));
}

void SSLProtocol::set_app_protocol(std::shared_ptr<Protocol> protocol) {
  if (!protocol) throw TypeError("a transport needs a protocol");
  app_buffered_ = protocol->as_buffered();
  app_protocol_ = std::move(protocol);
}

std::shared_ptr<Transport> SSLProtocol::app_transport() {
  return {shared_from_this(), &app_transport_};
}

void SSLProtocol::wake_waiter(std::exception_ptr error) {
  const Future<> waiter = std::exchange(waiter_, {});
  if (!waiter || waiter.done()) return;
  if (error) {
    waiter.set_exception(std::move(error));
  } else {
    waiter.set_result();
  }
}

void SSLProtocol::cancel_timers() {
  handshake_timer_.cancel();
  shutdown_timer_.cancel();
  handshake_timer_ = {};
  shutdown_timer_ = {};
}

// ---- the transport below

void SSLProtocol::connection_made(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
  object_->set_peer_name(name_of_peer(*transport_));
  if (app_transport_.closed_) {
    abort(nullptr);  // given up before it began: the connect was cancelled
    return;
  }
  start_handshake();
}

void SSLProtocol::data_received(std::string_view data) {
  const auto self = shared_from_this();
  object_->feed(data);
  switch (state_) {
    case State::handshake: do_handshake(); break;
    case State::wrapped: do_read(); break;
    case State::flushing: do_flush(); break;
    case State::shutdown: do_shutdown(); break;
    case State::unwrapped: break;
  }
}

bool SSLProtocol::eof_received() {
  const auto self = shared_from_this();
  eof_received_ = true;
  try {
    switch (state_) {
      case State::handshake:
        handshake_failed(std::make_exception_ptr(ConnectionResetError(
            std::error_code(ECONNRESET, std::generic_category()),
            object_->describe_handshake() + " failed: the peer closed the connection")));
        break;
      case State::wrapped:
        state_ = State::flushing;
        // What has arrived is still to be read.
        if (app_reading_paused_) return true;
        do_flush();
        return kept_by_layer_;
      case State::flushing:
        do_write();
        state_ = State::shutdown;
        do_shutdown();
        return kept_by_layer_;
      case State::shutdown: do_shutdown(); return kept_by_layer_;
      case State::unwrapped: break;
    }
  } catch (...) {
    if (transport_) transport_->close();
    throw;
  }
  return false;
}

void SSLProtocol::connection_lost(std::exception_ptr exc) {
  const auto self = shared_from_this();
  backlog_.clear();
  (void)object_->take_outgoing();
  app_transport_.closed_ = true;
  // Also when an upgrade by start_tls was under way: who was told of a beginning is told of its
  // end.
  if (app_state_ == AppState::made || app_state_ == AppState::eof) {
    app_state_ = AppState::lost;
    loop_->call_soon([protocol = app_protocol_, exc] { protocol->connection_lost(exc); });
  }
  state_ = State::unwrapped;
  transport_ = nullptr;
  app_protocol_ = nullptr;
  app_buffered_ = nullptr;
  if (!exc && !handshake_done_) {
    exc = std::make_exception_ptr(ConnectionAbortedError(
        std::error_code(ECONNABORTED, std::generic_category()),
        object_->describe_handshake() + " failed: the connection was closed"));
  }
  wake_waiter(exc);
  cancel_timers();
}

void SSLProtocol::resume_writing() {
  lower_writing_paused_ = false;
  send_outgoing();
}

void SSLProtocol::abandon() noexcept {
  if (auto* const inner = dynamic_cast<net::TLSLayer*>(app_protocol_.get())) inner->abandon();
  app_transport_.closed_ = true;
  state_ = State::unwrapped;
  app_state_ = AppState::lost;
  transport_ = nullptr;
  app_protocol_ = nullptr;
  app_buffered_ = nullptr;
  waiter_ = {};
  cancel_timers();
}

// ---- handshake

void SSLProtocol::start_handshake() {
  state_ = State::handshake;
  handshake_timer_ = loop_->call_later(
      handshake_timeout_, [self = shared_from_this()] { self->handshake_timed_out(); });
  do_handshake();
}

void SSLProtocol::handshake_timed_out() {
  if (state_ != State::handshake) return;
  fatal_error(std::make_exception_ptr(ConnectionAbortedError(
                  std::error_code(ECONNABORTED, std::generic_category()),
                  object_->describe_handshake() + " is taking longer than " +
                      in_seconds(handshake_timeout_) + " seconds: aborting the connection")),
              "TLS handshake timed out");
}

void SSLProtocol::do_handshake() {
  bool done = false;
  try {
    done = object_->do_handshake();
  } catch (...) {
    handshake_failed(current_ordinary_exception());
    return;
  }
  if (done) {
    handshake_done();
  } else {
    send_outgoing();
  }
}

void SSLProtocol::handshake_failed(std::exception_ptr error) {
  handshake_timer_.cancel();
  // The alert tells the peer why.
  force_outgoing();
  state_ = State::unwrapped;
  fatal_error(error, "TLS handshake failed");
  wake_waiter(error);
}

void SSLProtocol::handshake_done() {
  handshake_timer_.cancel();
  handshake_done_ = true;
  state_ = State::wrapped;
  if (app_state_ == AppState::init) {
    app_state_ = AppState::made;
    const std::shared_ptr<Protocol> protocol = app_protocol_;
    protocol->connection_made(app_transport());
  }
  wake_waiter(nullptr);
  do_read();
}

// ---- shutdown

void SSLProtocol::start_shutdown() {
  if (std::exchange(kept_by_layer_, false) && state_ == State::shutdown) {
    shutdown_done();
    return;
  }
  if (state_ == State::flushing && eof_received_ && app_reading_paused_) {
    // The peer has ended, and what it sent before waited to be read: nobody wants it any more.
    app_transport_.closed_ = true;
    state_ = State::shutdown;
    do_shutdown();
    return;
  }
  if (state_ == State::flushing || state_ == State::shutdown || state_ == State::unwrapped) return;
  app_transport_.closed_ = true;
  if (state_ == State::handshake) {
    abort(nullptr);
    return;
  }
  state_ = State::flushing;
  shutdown_timer_ = loop_->call_later(shutdown_timeout_,
                                      [self = shared_from_this()] { self->shutdown_timed_out(); });
  do_flush();
}

void SSLProtocol::shutdown_timed_out() {
  if (state_ != State::flushing && state_ != State::shutdown) return;
  if (transport_) {
    transport_->force_close(std::make_exception_ptr(TimeoutError("TLS shutdown timed out")));
  }
}

void SSLProtocol::do_flush() {
  do_read();
  // An error in there has ended everything already.
  if (state_ != State::flushing) return;
  state_ = State::shutdown;
  do_shutdown();
}

void SSLProtocol::do_shutdown() {
  try {
    if (eof_received_) {
      truncated_ = !object_->close_notify_received();
      if (truncated_ && !context_->suppress_ragged_eofs()) object_->throw_truncated();
    } else if (!object_->unwrap()) {
      send_outgoing();
      return;
    }
  } catch (...) {
    shutdown_timer_.cancel();
    fatal_error(current_ordinary_exception(), "TLS shutdown failed");
    return;
  }
  force_outgoing();
  if (!call_eof_received()) shutdown_done();
}

void SSLProtocol::shutdown_done() {
  shutdown_timer_.cancel();
  loop_->call_soon([transport = transport_] {
    if (transport) transport->close();
  });
}

void SSLProtocol::abort(std::exception_ptr error) {
  state_ = State::unwrapped;
  if (transport_) transport_->force_close(std::move(error));
}

// ---- writing

bool SSLProtocol::accepts_writes() {
  if (state_ == State::handshake || state_ == State::wrapped) return true;
  if (state_ == State::unwrapped && !transport_ && !handshake_done_ && !app_transport_.closed_) {
    return true;  // not begun yet
  }
  if (late_writes_ >= late_writes_before_warning) {
    log(LogLevel::warning, "brio.tls", "write to a TLS connection that is closed");
  }
  ++late_writes_;
  return false;
}

void SSLProtocol::write_app_data(std::string_view data, std::string* owned) {
  if (data.empty() || !accepts_writes()) return;
  try {
    if (state_ == State::wrapped && backlog_.empty()) data.remove_prefix(object_->write(data));
    if (!data.empty()) {
      if (owned != nullptr) {
        const std::size_t taken = owned->size() - data.size();
        backlog_.append(std::move(*owned), taken);
      } else {
        backlog_.append(data);
      }
    }
    if (state_ == State::wrapped) send_outgoing();
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Fatal error on SSL protocol");
  }
}

void SSLProtocol::do_write() {
  while (!backlog_.empty()) {
    iovec part;
    (void)backlog_.gather(&part, 1);
    const std::size_t taken =
        object_->write(std::string_view(static_cast<const char*>(part.iov_base), part.iov_len));
    if (taken == 0) break;
    backlog_.consume(taken);
  }
  send_outgoing();
}

void SSLProtocol::send_outgoing() {
  if (!lower_writing_paused_ && object_->outgoing_size() != 0 && transport_) {
    transport_->write(object_->take_outgoing());
  }
  control_app_writing();
}

void SSLProtocol::force_outgoing() {
  if (object_->outgoing_size() != 0 && transport_ && !transport_->is_closing()) {
    transport_->write(object_->take_outgoing());
  }
}

void SSLProtocol::control_app_writing() {
  const std::size_t size = write_buffer_size();
  const std::shared_ptr<Protocol> protocol = app_protocol_;
  if (!protocol) return;
  if (size >= write_limits_.high && size > 0 && !app_writing_paused_) {
    app_writing_paused_ = true;
    try {
      protocol->pause_writing();
    } catch (...) {
      report(current_ordinary_exception(), "protocol.pause_writing() failed");
    }
  } else if (size <= write_limits_.low && app_writing_paused_) {
    app_writing_paused_ = false;
    try {
      protocol->resume_writing();
    } catch (...) {
      report(current_ordinary_exception(), "protocol.resume_writing() failed");
    }
  }
}

// ---- errors and facts

void SSLProtocol::fatal_error(std::exception_ptr error, const char* message) {
  if (transport_) transport_->force_close(error);
  if (!is_oserror(error)) {
    report(error, message);
  } else if (loop_->get_debug()) {
    log(LogLevel::debug, "brio.tls", std::string(message) + ": " + describe(error));
  }
}

void SSLProtocol::report(std::exception_ptr error, const char* message) {
  ExceptionContext context;
  context.message = message;
  context.exception = std::move(error);
  context.source = "transport: TLS";
  loop_->call_exception_handler(context);
}

std::any SSLProtocol::get_extra_info(std::string_view name) const {
  if (name == "sslcontext") return context_;
  if (name == "truncated") return truncated_;
  if (handshake_done_) {
    if (name == "ssl_object") return static_cast<const SSLObject*>(object_.get());
    if (name == "peercert") {
      if (auto certificate = object_->getpeercert()) return *std::move(certificate);
      return {};
    }
    if (name == "cipher") {
      if (auto cipher = object_->cipher()) return *std::move(cipher);
      return {};
    }
  }
  return transport_ ? transport_->get_extra_info(name) : std::any();
}

// ---- the transport above

void SSLProtocol::AppTransport::close() {
  if (std::exchange(closed_, true)) return;
  const auto self = tls_.shared_from_this();
  tls_.start_shutdown();
}

bool SSLProtocol::AppTransport::is_closing() const noexcept {
  return closed_ || (tls_.transport_ && tls_.transport_->is_closing());
}

void SSLProtocol::AppTransport::force_close(std::exception_ptr exc) {
  closed_ = true;
  const auto self = tls_.shared_from_this();
  tls_.abort(std::move(exc));
}

std::any SSLProtocol::AppTransport::get_extra_info(std::string_view name) const {
  return tls_.get_extra_info(name);
}

EventLoop& SSLProtocol::AppTransport::get_loop() const noexcept { return *tls_.loop_; }

void SSLProtocol::AppTransport::set_protocol(std::shared_ptr<Protocol> protocol) {
  tls_.set_app_protocol(std::move(protocol));
}

std::shared_ptr<Protocol> SSLProtocol::AppTransport::get_protocol() const {
  return tls_.app_protocol_;
}

bool SSLProtocol::AppTransport::is_reading() const noexcept {
  return !is_closing() && !tls_.app_reading_paused_;
}

void SSLProtocol::AppTransport::pause_reading() { tls_.app_reading_paused_ = true; }
void SSLProtocol::AppTransport::resume_reading() { tls_.resume_app_reading(); }

void SSLProtocol::AppTransport::write_bytes(std::string_view data, std::string* owned) {
  tls_.write_app_data(data, owned);
}

void SSLProtocol::AppTransport::writelines(std::span<const std::string_view> pieces) {
  // One string, so that small pieces share a record.
  std::string all;
  for (const std::string_view piece : pieces) all += piece;
  if (!all.empty()) tls_.write_app_data(all, &all);
}

void SSLProtocol::AppTransport::write_eof() {
  throw RuntimeError("TLS has no half-close: write_eof() is not possible");
}

void SSLProtocol::AppTransport::set_write_buffer_limits(WriteBufferLimitsOptions options) {
  tls_.write_limits_ = net::detail::make_write_buffer_limits(options, write_high_water);
  tls_.control_app_writing();
}

WriteBufferLimits SSLProtocol::AppTransport::get_write_buffer_limits() const noexcept {
  return tls_.write_limits_;
}

std::size_t SSLProtocol::AppTransport::get_write_buffer_size() const noexcept {
  return tls_.write_buffer_size();
}

}  // namespace brio::tls::detail

namespace brio::tls {

std::shared_ptr<net::TLSLayer> SSLContext::make_layer(EventLoop& loop,
                                                      std::shared_ptr<Protocol> protocol,
                                                      Future<> waiter,
                                                      net::TLSLayerOptions options) const {
  return std::make_shared<detail::SSLProtocol>(loop, std::move(protocol), shared_from_this(),
                                               std::move(waiter), std::move(options));
}

}  // namespace brio::tls
