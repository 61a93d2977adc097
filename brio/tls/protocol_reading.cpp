// SSLProtocol, the way in: what has been decrypted goes to the protocol above.
#include <brio/tls/protocol.hpp>

#include <brio/core/logging.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/socket_transport.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace brio::tls::detail {

using net::detail::current_ordinary_exception;
using net::detail::LoopState;

namespace {
constexpr std::size_t read_high_water = 256 * 1024;
constexpr std::size_t read_low_water = read_high_water / 4;
}  // namespace

// ---- reading

void SSLProtocol::do_read() {
  if (state_ != State::wrapped && state_ != State::flushing) return;
  try {
    if (!app_reading_paused_) {
      if (app_buffered_ != nullptr) {
        read_for_buffer(*app_buffered_);
      } else {
        read_for_stream();
      }
      if (!backlog_.empty()) {
        do_write();
      } else {
        send_outgoing();
      }
    }
    control_lower_reading();
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Fatal error on SSL protocol");
  }
}

void SSLProtocol::read_for_stream() {
  const LoopState::Loan loan(*loop_);
  std::size_t filled = 0;
  bool closed = false;
  // As much as there is in one call, as one read of a plain socket would give it.
  while (!closed && !app_reading_paused_) {
    std::optional<std::size_t> count;
    try {
      count = object_->read(loan.data() + filled, loan.size() - filled);
    } catch (...) {
      // What came before the damage is genuine.
      const std::exception_ptr error = std::current_exception();
      deliver({loan.data(), filled});
      std::rethrow_exception(error);
    }
    if (!count) break;
    closed = *count == 0;
    filled += *count;
    if (filled == loan.size()) {
      deliver({loan.data(), std::exchange(filled, 0)});
      if (state_ != State::wrapped && state_ != State::flushing) return;
    }
  }
  deliver({loan.data(), filled});
  if (closed) peer_closed();
}

void SSLProtocol::deliver(std::string_view data) {
  // Held here: the callback may put another protocol in charge.
  const std::shared_ptr<Protocol> protocol = app_protocol_;
  if (!data.empty() && protocol) protocol->data_received(data);
}

void SSLProtocol::read_for_buffer(BufferedProtocol& protocol) {
  const std::shared_ptr<Protocol> held = app_protocol_;
  const auto hint = static_cast<std::ptrdiff_t>(object_->incoming_size());
  const std::span<char> memory = protocol.get_buffer(hint);
  if (memory.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
  std::size_t filled = 0;
  bool closed = false;
  while (filled < memory.size()) {
    const auto count = object_->read(memory.data() + filled, memory.size() - filled);
    if (!count) break;
    closed = *count == 0;
    if (closed) break;
    filled += *count;
  }
  if (filled == memory.size()) {
    // There may be more: it needs another buffer.
    loop_->call_soon([self = shared_from_this()] { self->do_read(); });
  }
  if (filled != 0) protocol.buffer_updated(filled);
  if (closed) peer_closed();
}

void SSLProtocol::peer_closed() {
  // A TLS layer above may hold data that its protocol does not read yet; it closes us when that has
  // been delivered.
  if (!call_eof_received()) start_shutdown();
}

bool SSLProtocol::call_eof_received() {
  if (app_state_ != AppState::made) return kept_by_layer_;
  app_state_ = AppState::eof;
  const std::shared_ptr<Protocol> protocol = app_protocol_;
  if (!protocol) return false;
  try {
    if (protocol->eof_received()) {
      kept_by_layer_ = dynamic_cast<net::TLSLayer*>(protocol.get()) != nullptr;
      if (kept_by_layer_) return true;
      log(LogLevel::warning, "brio.tls",
          "returning true from eof_received() has no effect when using TLS");
    }
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Error calling eof_received()");
  }
  return false;
}

void SSLProtocol::control_lower_reading() {
  if (!transport_) return;
  const std::size_t size = object_->incoming_size();
  if (size >= read_high_water && !lower_reading_paused_) {
    lower_reading_paused_ = true;
    transport_->pause_reading();
  } else if (size <= read_low_water && lower_reading_paused_) {
    lower_reading_paused_ = false;
    transport_->resume_reading();
  }
}

void SSLProtocol::resume_app_reading() {
  if (!app_reading_paused_) return;
  app_reading_paused_ = false;
  loop_->call_soon([self = shared_from_this()] {
    switch (self->state_) {
      case State::wrapped: self->do_read(); break;
      case State::flushing: self->do_flush(); break;
      case State::shutdown: self->do_shutdown(); break;
      default: break;
    }
  });
}

}  // namespace brio::tls::detail
