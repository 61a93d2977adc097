// Frames and messages without I/O: what is read, what is refused and how early, what is written.
#include "websocket_support.hpp"

#include <brio/core/exceptions.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace brio;
using namespace brio::tests;
using http::WebSocketError;
using http::WebSocketReader;
using http::WebSocketWriter;
using http::WSLimits;
using http::WSMessage;
using http::WSMsgType;

namespace {

struct Read {
  std::string text = {};  // "text 'x', close 1000 ''", then the error's code
  std::size_t taken = 0;  // bytes that were fed when the error came
};

std::string shown(const WSMessage& message) {
  switch (message.type) {
    case WSMsgType::text: return "text '" + message.data + "'";
    case WSMsgType::binary: return "binary '" + message.data + "'";
    case WSMsgType::ping: return "ping '" + message.data + "'";
    case WSMsgType::pong: return "pong '" + message.data + "'";
    default: return "close " + std::to_string(message.code) + " '" + message.extra + "'";
  }
}

Read read_in_steps(std::string_view data, std::size_t step,
                   const WebSocketReader::Options& options) {
  WebSocketReader reader(options);
  Read result;
  const auto add = [&](const std::string& word) {
    result.text += (result.text.empty() ? "" : ", ") + word;
  };
  try {
    while (!data.empty()) {
      std::string_view some = data.substr(0, step);
      data.remove_prefix(some.size());
      result.taken += some.size();
      while (auto message = reader.feed(some)) {
        add(shown(*message));
        if (message->type == WSMsgType::close) return result;
      }
      CHECK(some.empty());
    }
  } catch (const WebSocketError& error) {
    add(std::to_string(error.code()));
  }
  return result;
}

// The same however the bytes come.
std::string read(std::string_view data, const WebSocketReader::Options& options = {}) {
  const std::string whole = read_in_steps(data, data.size() + 1, options).text;
  for (const std::size_t step : {1U, 2U, 3U, 7U}) {
    CHECK(read_in_steps(data, step, options).text == whole);
  }
  return whole;
}

// After how many bytes a fault is told.
std::size_t told_after(std::string_view data, const WebSocketReader::Options& options = {}) {
  return read_in_steps(data, 1, options).taken;
}

std::string long_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i * i);
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("the frames of RFC 6455 §5.7") {
  const WebSocketReader::Options client{.server = false};
  CHECK(read(octets({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}), client) == "text 'Hello'");
  CHECK(read(octets({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})) ==
        "text 'Hello'");
  CHECK(read(octets({0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f}), client) ==
        "text 'Hello'");
  CHECK(read(octets({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}), client) == "ping 'Hello'");
  CHECK(read(octets({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})) ==
        "pong 'Hello'");
  for (const std::size_t size : {0U, 1U, 125U, 126U, 256U, 65535U, 65536U, 70001U}) {
    const std::string payload = long_text(size);
    CHECK(read(frame(2, payload)) == "binary '" + payload + "'");
    CHECK(read(frame(2, payload, plain), client) == "binary '" + payload + "'");
  }
}

TEST_CASE("fragments, with control frames in between") {
  CHECK(read(frame(1, "a", part) + frame(9, "p") + frame(0, "", part) + frame(10, "q") +
             frame(0, "b") + frame(2, "c")) == "ping 'p', pong 'q', text 'ab', binary 'c'");
}

TEST_CASE("frames that are none are refused at the byte that tells") {
  struct Case {
    std::string bytes;
    std::size_t after;
  };
  const FrameOptions rsv1{.rsv = 4};
  const std::string hello = frame(1, "Hello");
  for (const auto& [bytes, after] : std::vector<Case>{
           {frame(1, "Hello", rsv1), 1},  // no compression was agreed on
           {frame(1, "Hello", {.rsv = 2}), 1},
           {frame(1, "Hello", {.rsv = 1}), 1},
           {frame(3, ""), 1},
           {frame(7, ""), 1},
           {frame(11, ""), 1},
           {frame(15, ""), 1},
           {frame(9, "", part), 1},
           {frame(8, "", part), 1},
           {frame(0, "x"), 1},
           {frame(0, "x", part), 1},
           {frame(1, "x", part) + frame(1, "y"), 8},
           {frame(1, "x", part) + frame(2, "y"), 8},
           {frame(1, "Hello", plain), 2},
           {frame(9, long_text(126)), 2},
           {frame(8, "x"), 2},
           {octets({0x81, 0xfe, 0x00, 0x7d, 1, 2, 3, 4}), 8},  // 125 in two bytes
           {octets({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}), 14},
           {octets({0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}), 14},
           {hello + frame(0, "x"), hello.size() + 1},
       }) {
    CAPTURE(static_cast<int>(static_cast<unsigned char>(bytes[0])));
    CHECK(read(bytes).ends_with("1002"));
    CHECK(told_after(bytes) == after);
  }
  CHECK(read(hello, {.server = false}) == "1002");  // a server must not mask
  CHECK(read(frame(9, "", {.rsv = 4}), {.deflate = http::WSDeflateParams{}}) == "1002");
  CHECK(read(frame(1, "", part) + frame(0, "", {.rsv = 4}), {.deflate = http::WSDeflateParams{}}) ==
        "1002");
}

TEST_CASE("text is UTF-8, and what is not is told at once") {
  const std::string kosme = "\xce\xba\xcf\x8c\xcf\x83\xce\xbc\xce\xb5";
  CHECK(read(frame(1, kosme)) == "text '" + kosme + "'");
  CHECK(read(frame(1, kosme.substr(0, 3), part) + frame(9, "") + frame(0, kosme.substr(3))) ==
        "ping '', text '" + kosme + "'");
  for (const std::string& text :
       {std::string("\xf4\x8f\xbf\xbf"), std::string("\xee\x80\x80"), std::string("\xed\x9f\xbf"),
        std::string("\x00", 1), std::string("\xef\xbf\xbf"), std::string("\xf0\x90\x80\x80"),
        std::string("\xe0\xa0\x80"), std::string("\xc2\x80")}) {
    CHECK(read(frame(1, text)) == "text '" + text + "'");
    CHECK(read(frame(1, "0123456789" + text)).starts_with("text"));
  }
  for (const std::string& text :
       {std::string("\x80"), std::string("\xff"), std::string("\xfe"), std::string("\xc0\xaf"),
        std::string("\xc1\xbf"), std::string("\xe0\x9f\xbf"), std::string("\xf0\x8f\xbf\xbf"),
        std::string("\xed\xa0\x80"), std::string("\xed\xbf\xbf"), std::string("\xf4\x90\x80\x80"),
        std::string("\xf5\x80\x80\x80"), std::string("\xf8\x88\x80\x80\x80"), std::string("\xce"),
        std::string("\xe1\x80"), std::string("\xf0\x90\x80"), std::string("\xce x")}) {
    CHECK(read(frame(1, text)) == "1007");
    CHECK(read(frame(1, kosme + text)) == "1007");
    CHECK(read(frame(2, text)) == "binary '" + text + "'");
  }
  // Autobahn's 6.4: the second byte of f4 90 already is too much, whatever is still to come.
  const std::string bad = frame(1,
                                kosme +
                                    "\xf4\x90\x80\x80"
                                    "edited",
                                part);
  CHECK(told_after(bad) == 6 + kosme.size() + 2);
  CHECK(told_after(frame(1, kosme, part) + frame(0, "\xf4", part) + frame(0, "\x90", part)) ==
        6 + kosme.size() + 7 + 7);
}

TEST_CASE("close frames") {
  CHECK(read(frame(8, "")) == "close 1005 ''");
  CHECK(read(frame(8, close_payload(1000))) == "close 1000 ''");
  const std::string longest(123, 'x');
  CHECK(read(frame(8, close_payload(4999, longest))) == "close 4999 '" + longest + "'");
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    CHECK(read(frame(8, close_payload(code, "why"))) == "close " + std::to_string(code) + " 'why'");
  }
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CHECK(read(frame(8, close_payload(code))) == "1002");
  }
  CHECK(read(frame(8, close_payload(1000, "\xce"))) == "1007");
}

TEST_CASE("limits on messages, frames and fragments") {
  const auto with = [](WSLimits limits) { return WebSocketReader::Options{.limits = limits}; };
  CHECK(read(frame(2, "12345678"), with({.max_msg_size = 8})) == "binary '12345678'");
  CHECK(read(frame(2, "123456789"), with({.max_msg_size = 8})) == "1009");
  CHECK(told_after(frame(2, "123456789"), with({.max_msg_size = 8})) == 6);
  CHECK(read(frame(2, "1234", part) + frame(0, "5678"), with({.max_msg_size = 8})) ==
        "binary '12345678'");
  CHECK(read(frame(2, "1234", part) + frame(0, "56789"), with({.max_msg_size = 8})) == "1009");
  CHECK(read(frame(2, "12345"), with({.max_frame_size = 4})) == "1009");
  CHECK(read(frame(2, "1234", part) + frame(0, "5678"), with({.max_frame_size = 4})) ==
        "binary '12345678'");
  CHECK(read(frame(2, "", part) + frame(0, "", part) + frame(0, ""), with({.max_fragments = 3})) ==
        "binary ''");
  CHECK(read(frame(2, "", part) + frame(0, "", part) + frame(0, "", part) + frame(0, ""),
             with({.max_fragments = 3})) == "1008");
  CHECK(read(frame(2, long_text(100)), with({.max_msg_size = 0, .max_fragments = 0})).size() > 100);
  // A length is believed only as far as bytes come: nothing of 8 EiB is allocated.
  CHECK(read(octets({0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5}),
             with({.max_msg_size = 0})) == "");
}

TEST_CASE("what is written is read again, in the shortest form") {
  for (const bool client : {false, true}) {
    WebSocketWriter writer({.client = client});
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 125U, 126U, 65535U, 65536U}) {
      std::string out;
      const std::string payload = long_text(size);
      writer.message(out, WSMsgType::text, payload, true);
      CHECK(read(out, {.server = client}) == "text '" + payload + "'");
      const std::size_t header = (size < 126 ? 2U : size < 65536 ? 4U : 10U) + (client ? 4U : 0U);
      CHECK(out.size() == header + size);
    }
    std::string out;
    writer.control(out, WSMsgType::ping, "p");
    writer.close(out, 1001, "bye");
    CHECK(read(out, {.server = client}) == "ping 'p', close 1001 'bye'");
    out.clear();
    writer.close(out, http::WSCloseCode::no_status_received, "");
    CHECK(read(out, {.server = client}) == "close 1005 ''");
    CHECK_THROWS_AS(writer.control(out, WSMsgType::ping, std::string(126, 'x')), ValueError);
    CHECK_THROWS_AS(writer.close(out, 1006, ""), ValueError);
    CHECK_THROWS_AS(writer.close(out, 1000, std::string(124, 'x')), ValueError);
    CHECK_THROWS_AS(writer.close(out, 1000, "\xff"), ValueError);
  }
  // Masks are not foreseeable, so at least not the same.
  WebSocketWriter writer({.client = true});
  std::string first;
  std::string second;
  writer.message(first, WSMsgType::text, "Hello", false);
  writer.message(second, WSMsgType::text, "Hello", false);
  CHECK(first != second);
}

TEST_CASE("the messages of RFC 7692 §7.2.3") {
  const WebSocketReader::Options client{.server = false, .deflate = http::WSDeflateParams{}};
  const std::string hello = octets({0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});
  CHECK(read(hello, client) == "text 'Hello'");
  CHECK(read(octets({0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00}), client) ==
        "text 'Hello'");
  // The window is taken over.
  const std::string again = octets({0xc1, 0x05, 0xf2, 0x00, 0x11, 0x00, 0x00});
  CHECK(read(hello + again, client) == "text 'Hello', text 'Hello'");
  WebSocketReader::Options forgetful = client;
  forgetful.deflate->receive_no_context_takeover = true;
  CHECK(read(hello + again, forgetful) == "text 'Hello', 1007");
  CHECK(read(hello + hello, forgetful) == "text 'Hello', text 'Hello'");
  // A block without compression; a last block, with and without the byte behind it; two blocks.
  CHECK(read(octets({0xc1, 0x0b, 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}),
             client) == "text 'Hello'");
  const std::string last = octets({0xc1, 0x08, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00});
  CHECK(read(last, client) == "text 'Hello'");
  CHECK(read(last + again + last + hello, client) ==
        "text 'Hello', text 'Hello', text 'Hello', text 'Hello'");
  CHECK(read(octets({0xc1, 0x07, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}) + again, client) ==
        "text 'Hello', text 'Hello'");
  CHECK(read(octets({0xc1, 0x0d, 0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9,
                     0x07, 0x00}),
             client) == "text 'Hello'");
  // Compressed and not, in turns; control frames never are.
  CHECK(read(hello + frame(1, "x", plain) + again, client) ==
        "text 'Hello', text 'x', text 'Hello'");
}

TEST_CASE("compressed messages that are damaged, cut short or bombs") {
  const WebSocketReader::Options client{
      .server = false, .limits = {.max_msg_size = 5}, .deflate = http::WSDeflateParams{}};
  CHECK(read(octets({0xc1, 0x02, 0xff, 0xff}), client) == "1007");
  CHECK(read(octets({0xc1, 0x05, 0xf2, 0x48, 0xcd, 0xc9, 0xc9}), client) == "1007");
  CHECK(read(octets({0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), client) ==
        "text 'Hello'");
  WebSocketReader::Options tight = client;
  tight.limits.max_msg_size = 4;
  CHECK(read(octets({0xc1, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), tight) == "1009");
  // 100 MiB of zeros in 100 KiB: not more than the limit is ever in memory.
  WebSocketWriter writer({.client = false, .deflate = http::WSDeflateParams{}});
  std::string bomb;
  writer.message(bomb, WSMsgType::binary, std::string(20 << 20, '\0'), true);
  CHECK(bomb.size() < 100'000);
  WebSocketReader::Options usual = client;
  usual.limits = {};
  CHECK(read_in_steps(bomb, 4096, usual).text == "1009");
  CHECK(read_in_steps(bomb, 4096, usual).taken < bomb.size() / 2);
  // Empty last blocks without end.
  std::string blocks;
  for (int i = 0; i < 40; ++i) blocks += octets({0x03, 0x00});
  CHECK(read(frame(2, blocks, {.rsv = 4, .mask = false}), usual) == "1007");
  // Text is checked inside.
  writer = WebSocketWriter({.client = true, .deflate = http::WSDeflateParams{}});
  std::string text;
  writer.message(text, WSMsgType::text, "abc\xff", true);
  CHECK(read(text, {.deflate = http::WSDeflateParams{}}) == "1007");
}

TEST_CASE("every agreement on compression, both ways") {
  std::vector<std::string> messages{"", "x", "Hello", "Hello", long_text(100'000)};
  for (std::size_t i = 0; i < 5; ++i) messages.push_back(long_text(3000).substr(i * 100));
  messages.push_back(std::string(70'000, 'z'));
  for (int bits = 8; bits <= 15; ++bits) {
    for (const bool forget : {false, true}) {
      const http::WSDeflateParams params{.send_window_bits = bits,
                                         .receive_window_bits = bits,
                                         .send_no_context_takeover = forget,
                                         .receive_no_context_takeover = forget};
      WebSocketWriter writer({.client = true, .deflate = params});
      WebSocketReader reader({.deflate = params});
      std::size_t i = 0;
      for (const std::string& message : messages) {
        std::string out;
        writer.message(out, WSMsgType::binary, message, ++i % 3 != 0);
        std::string_view rest = out;
        const auto found = reader.feed(rest);
        REQUIRE(found);
        CHECK(found->data == message);
        CHECK(rest.empty());
      }
    }
  }
}
