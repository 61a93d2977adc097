// Feeds any bytes as WebSocket frames, whole and in pieces, masked and not, with compression and
// without: the same messages and the same fault come out, within the limits, and what came out can
// be written and read again.
#include <brio/http/websocket_frames.hpp>
#include <brio/http/websocket_handshake.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using brio::http::WebSocketReader;
using brio::http::WebSocketWriter;
using brio::http::WSDeflateParams;
using brio::http::WSMessage;
using brio::http::WSMsgType;

namespace {

constexpr std::uint64_t most = 100'000;

void require(bool held) {
  if (!held) std::abort();
}

struct Outcome {
  std::vector<WSMessage> messages;
  int fault = 0;
};

Outcome read(std::string_view stream, std::size_t step, const WebSocketReader::Options& options) {
  Outcome outcome;
  WebSocketReader reader(options);
  try {
    while (!stream.empty()) {
      std::string_view piece = stream.substr(0, step);
      stream.remove_prefix(piece.size());
      while (auto message = reader.feed(piece)) {
        require(message->data.size() <= most);
        outcome.messages.push_back(std::move(*message));
        if (outcome.messages.back().type == WSMsgType::close) return outcome;
      }
      require(piece.empty());
    }
  } catch (const brio::http::WebSocketError& error) {
    outcome.fault = error.code();
  }
  return outcome;
}

// Where one piece decompresses to bad text and goes over the limit, either may be told.
void check_same(const Outcome& a, const Outcome& b) {
  require((a.fault != 0) == (b.fault != 0));
  require(a.messages.size() == b.messages.size());
  for (std::size_t i = 0; i < a.messages.size(); ++i) {
    require(a.messages[i].type == b.messages[i].type);
    require(a.messages[i].data == b.messages[i].data);
    require(a.messages[i].extra == b.messages[i].extra);
    require(a.messages[i].code == b.messages[i].code);
  }
}

void write_and_read(const Outcome& outcome, const std::optional<WSDeflateParams>& deflate) {
  WebSocketWriter writer({.client = true, .deflate = deflate});
  std::string out;
  Outcome sent;
  for (const WSMessage& message : outcome.messages) {
    if (message.type == WSMsgType::close) {
      writer.close(out, message.code, message.extra);
    } else if (message.type == WSMsgType::ping || message.type == WSMsgType::pong) {
      writer.control(out, message.type, message.data);
    } else {
      writer.message(out, message.type, message.data, true);
    }
    sent.messages.push_back(message);
  }
  check_same(sent, read(out, out.size() + 1, {.deflate = deflate}));
}

void negotiate(std::string_view text) {
  if (!brio::http::is_field_value(text)) return;
  const brio::http::Headers headers{{"Sec-WebSocket-Extensions", text}};
  try {
    if (const auto answer = brio::http::answer_deflate(headers, {})) {
      require(brio::http::is_field_value(answer->field));
    }
  } catch (const std::invalid_argument&) {
  }
  try {
    static_cast<void>(brio::http::agree_deflate(headers, brio::http::WSDeflateOptions{}));
  } catch (const std::invalid_argument&) {
  }
  static_cast<void>(brio::http::is_same_origin(text, "example.com", false));
}

}  // namespace

// The first byte chooses how the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned choice = *data;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (choice == 0xff) {
    negotiate(stream);
    return 0;
  }
  WebSocketReader::Options options{.server = (choice & 1) != 0,
                                   .limits = {.max_msg_size = most,
                                              .max_frame_size = (choice & 2) != 0 ? 1000U : 0U,
                                              .max_fragments = (choice & 4) != 0 ? 10U : 0U}};
  if ((choice & 8) != 0) {
    const int bits = 8 + static_cast<int>(choice >> 4 & 7);
    const bool forget = (choice & 0x80) != 0;
    options.deflate = WSDeflateParams{.send_window_bits = bits,
                                      .receive_window_bits = bits,
                                      .send_no_context_takeover = forget,
                                      .receive_no_context_takeover = forget};
  }
  const Outcome whole = read(stream, stream.size() + 1, options);
  check_same(whole, read(stream, 1, options));
  check_same(whole, read(stream, 7, options));
  write_and_read(whole, options.deflate);
  return 0;
}
