#include <brio/http/detail/websocket_deflate.hpp>

#include <brio/http/websocket_frames.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <stdexcept>

#include <zlib.h>

namespace brio::http::detail {
namespace {

// A flush ends a message on these bytes, which are not sent (RFC 7692 §7.2.1).
constexpr std::string_view tail("\x00\x00\xff\xff", 4);
constexpr unsigned most_restarts = 8;
constexpr std::size_t most_at_once = std::numeric_limits<uInt>::max();

// zlib's interface predates const; it does not write there.
Bytef* bytes(const char* data) noexcept {
  return reinterpret_cast<Bytef*>(const_cast<char*>(data));
}

}  // namespace

MessageInflater::MessageInflater(int window_bits, bool no_context_takeover) noexcept
    : window_bits_(window_bits), no_context_takeover_(no_context_takeover) {}

MessageInflater::~MessageInflater() {
  if (stream_) inflateEnd(stream_.get());
}

void MessageInflater::feed(std::string_view data, std::string& out, std::uint64_t most) {
  if (!stream_) {
    auto stream = std::make_unique<z_stream>();
    // Raw data, hence the sign.
    if (inflateInit2(stream.get(), -window_bits_) != Z_OK) throw std::bad_alloc();
    stream_ = std::move(stream);
  }
  while (!data.empty()) {
    const std::string_view part = data.substr(0, most_at_once);
    data.remove_prefix(part.size());
    run(part, out, most);
  }
}

void MessageInflater::finish(std::string& out, std::uint64_t most) {
  restarts_ = 0;
  // Some send a last block without the byte that RFC 7692 §7.2.3.4 puts behind it.
  if (!block_ended_) {
    feed(tail, out, most);
    const bool between_blocks = (stream_->data_type & 128) != 0;
    if (!between_blocks && !block_ended_) {
      throw WebSocketError(WSCloseCode::invalid_text, "compressed message ends too early");
    }
  }
  if (no_context_takeover_) {
    inflateReset(stream_.get());
    block_ended_ = false;
  }
}

void MessageInflater::run(std::string_view data, std::string& out, std::uint64_t most) {
  stream_->next_in = bytes(data.data());
  stream_->avail_in = static_cast<uInt>(data.size());
  while (true) {
    if (block_ended_ && stream_->avail_in > 0) restart();
    const std::size_t before = out.size();
    // One byte above the limit, to see that there is more.
    std::size_t room = std::clamp<std::size_t>(4 * data.size(), 1024, 64 * 1024);
    if (most > 0) room = std::min<std::uint64_t>(room, most + 1 - before);
    out.resize(before + room);
    stream_->next_out = bytes(out.data() + before);
    stream_->avail_out = static_cast<uInt>(room);
    const int status = inflate(stream_.get(), Z_NO_FLUSH);
    out.resize(before + room - stream_->avail_out);
    if (most > 0 && out.size() > most) {
      throw WebSocketError(
          WSCloseCode::message_too_big,
          "message is larger than " + std::to_string(most) + " bytes, once decompressed");
    }
    if (status == Z_STREAM_END) {
      block_ended_ = true;
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw WebSocketError(WSCloseCode::invalid_text, "compressed message is damaged");
    }
    // A full output may have left more inside.
    const bool more = stream_->avail_out == 0 && !block_ended_;
    if (stream_->avail_in == 0 && !more) return;
  }
}

// A last block is none for the messages to come: they may refer to what came before (§7.2.3.4).
// It costs copies of the window, so a message of nothing but such blocks would be an attack.
void MessageInflater::restart() {
  if (++restarts_ > most_restarts) {
    throw WebSocketError(WSCloseCode::invalid_text, "compressed message of too many last blocks");
  }
  std::array<Bytef, 32768> window;
  uInt size = 0;
  inflateGetDictionary(stream_.get(), window.data(), &size);
  inflateReset(stream_.get());
  if (size > 0) inflateSetDictionary(stream_.get(), window.data(), size);
  block_ended_ = false;
}

MessageDeflater::MessageDeflater(int window_bits, bool no_context_takeover, int level,
                                 int mem_level) noexcept
    : window_bits_(window_bits),
      no_context_takeover_(no_context_takeover),
      level_(level),
      mem_level_(mem_level) {}

MessageDeflater::~MessageDeflater() {
  if (stream_) deflateEnd(stream_.get());
}

void MessageDeflater::deflate(std::string_view message, std::string& out) {
  if (!stream_) {
    auto stream = std::make_unique<z_stream>();
    // zlib has no raw data with a window of 256 bytes. With one of 512 it refers back by no more
    // than 250 (it keeps 262 for looking ahead), so what it makes fits a reader that has 256.
    const int bits = std::max(window_bits_, 9);
    if (deflateInit2(stream.get(), level_, Z_DEFLATED, -bits, mem_level_, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
    stream_ = std::move(stream);
  }
  out.clear();
  while (!message.empty()) {
    const std::string_view part = message.substr(0, most_at_once);
    message.remove_prefix(part.size());
    stream_->next_in = bytes(part.data());
    stream_->avail_in = static_cast<uInt>(part.size());
    const int flush = message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      const std::size_t before = out.size();
      const std::size_t room = std::clamp<std::size_t>(part.size(), 128, 256 * 1024);
      out.resize(before + room);
      stream_->next_out = bytes(out.data() + before);
      stream_->avail_out = static_cast<uInt>(room);
      ::deflate(stream_.get(), flush);
      out.resize(before + room - stream_->avail_out);
    } while (stream_->avail_out == 0);
  }
  if (!std::string_view(out).ends_with(tail)) throw std::logic_error("zlib did not flush");
  out.resize(out.size() - tail.size());
  if (no_context_takeover_) deflateReset(stream_.get());
}

}  // namespace brio::http::detail
