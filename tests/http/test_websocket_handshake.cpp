// What the two sides of a WebSocket handshake compute.
#include <brio/core/exceptions.hpp>
#include <brio/http/websocket_handshake.hpp>

#include <doctest/doctest.h>
#include <string>

using namespace brio;
using http::Headers;
using http::WSDeflateOptions;

namespace {

std::string answer(const std::string& offers, const WSDeflateOptions& wanted = {}) {
  const auto found = http::answer_deflate({{"Sec-WebSocket-Extensions", offers}}, wanted);
  return found ? found->field : "none";
}

std::string agreed(const std::string& field, const WSDeflateOptions& wanted = {}) {
  const auto params = http::agree_deflate({{"Sec-WebSocket-Extensions", field}}, wanted);
  if (!params) return "none";
  return std::to_string(params->send_window_bits) +
         (params->send_no_context_takeover ? "- " : " ") +
         std::to_string(params->receive_window_bits) +
         (params->receive_no_context_takeover ? "-" : "");
}

}  // namespace

TEST_CASE("keys and what answers them") {
  CHECK(http::websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(http::is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK_FALSE(http::is_websocket_key(""));
  CHECK_FALSE(http::is_websocket_key("dGhlIHNhbXBsZSBub25jZQ="));
  CHECK_FALSE(http::is_websocket_key("dGhlIHNhbXBsZSBub25jZ==="));
  CHECK_FALSE(http::is_websocket_key("dGhlIHNhbXBsZSBub25jZQAA"));
  CHECK_FALSE(http::is_websocket_key("dGhlIHNhbXBsZ!Bub25jZQ=="));
  CHECK(http::is_websocket_key(http::websocket_key()));
  CHECK(http::websocket_key() != http::websocket_key());
}

TEST_CASE("a server answers offers of permessage-deflate") {
  CHECK(answer("permessage-deflate") == "permessage-deflate");
  CHECK(answer("Permessage-Deflate") == "permessage-deflate");
  CHECK(answer("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits") ==
        "permessage-deflate");
  CHECK(answer("permessage-deflate; client_max_window_bits", {.peer_window_bits = 10}) ==
        "permessage-deflate; client_max_window_bits=10");
  CHECK(answer("permessage-deflate; client_max_window_bits=9", {.peer_window_bits = 10}) ==
        "permessage-deflate; client_max_window_bits=9");
  CHECK(answer("permessage-deflate; server_max_window_bits=8") ==
        "permessage-deflate; server_max_window_bits=8");
  CHECK(answer("permessage-deflate;server_max_window_bits=\"10\"") ==
        "permessage-deflate; server_max_window_bits=10");
  CHECK(answer("permessage-deflate; server_max_window_bits=15", {.window_bits = 12}) ==
        "permessage-deflate; server_max_window_bits=12");
  CHECK(answer("permessage-deflate; server_no_context_takeover; client_no_context_takeover") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  CHECK(answer("permessage-deflate",
               {.no_context_takeover = true, .peer_no_context_takeover = true}) ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  // An offer that cannot be met: the next one, or none.
  for (const char* bad :
       {"permessage-deflate; x", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate; client_max_window_bits; client_max_window_bits"}) {
    CAPTURE(bad);
    CHECK(answer(bad) == "none");
    CHECK(answer(std::string(bad) + ", permessage-deflate") == "permessage-deflate");
  }
  for (const char* none : {"", ",, ,", "other", "other; a=\"b\"; c"}) CHECK(answer(none) == "none");
  for (const char* broken : {"=", "a b", "a; =1", "a; b=", "a; b=\"c", "a; b=\"c d\"", ";", "a;"}) {
    CAPTURE(broken);
    CHECK_THROWS_AS(answer(broken), ValueError);
  }
  CHECK_THROWS_AS(answer("permessage-deflate", {.window_bits = 16}), ValueError);
}

TEST_CASE("a client offers, and takes the answer for what it is") {
  CHECK(http::offer_deflate({}) == "permessage-deflate; client_max_window_bits");
  CHECK(
      http::offer_deflate(
          {.peer_window_bits = 9, .no_context_takeover = true, .peer_no_context_takeover = true}) ==
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=9; client_max_window_bits");
  CHECK(agreed("") == "none");
  CHECK(agreed("permessage-deflate") == "12 15");
  CHECK(agreed("permessage-deflate; client_max_window_bits=10; server_max_window_bits=11") ==
        "10 11");
  CHECK(agreed("permessage-deflate; client_no_context_takeover; server_no_context_takeover") ==
        "12- 15-");
  for (const char* bad : {"other", "permessage-deflate, permessage-deflate",
                          "permessage-deflate; x", "permessage-deflate; client_max_window_bits",
                          "permessage-deflate; client_max_window_bits=7"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(agreed(bad), ValueError);
  }
  CHECK_THROWS_AS(agreed("permessage-deflate", {.peer_window_bits = 10}), ValueError);
  CHECK_THROWS_AS(agreed("permessage-deflate", {.peer_no_context_takeover = true}), ValueError);
  const Headers unasked{{"Sec-WebSocket-Extensions", "permessage-deflate"}};
  CHECK_THROWS_AS(static_cast<void>(http::agree_deflate(unasked, std::nullopt)), ValueError);
}

TEST_CASE("which origin is the server's own") {
  CHECK(http::is_same_origin("http://example.com", "example.com", false));
  CHECK(http::is_same_origin("https://example.com", "example.com", false));  // TLS ends in front
  CHECK(http::is_same_origin("https://example.com", "example.com:443", true));
  CHECK(http::is_same_origin("http://EXAMPLE.com:80", "example.com", false));
  CHECK(http::is_same_origin("http://127.0.0.1:8080", "127.0.0.1:8080", false));
  CHECK(http::is_same_origin("http://[::1]:81", "[::1]:81", false));
  CHECK_FALSE(http::is_same_origin("http://example.com", "example.com", true));
  CHECK_FALSE(http::is_same_origin("http://example.com:81", "example.com", false));
  CHECK_FALSE(http::is_same_origin("http://evil.com", "example.com", false));
  CHECK_FALSE(http::is_same_origin("http://example.com.evil.com", "example.com", false));
  CHECK_FALSE(http::is_same_origin("null", "example.com", false));
  CHECK_FALSE(http::is_same_origin("null", "", false));
  CHECK_FALSE(http::is_same_origin("http://", "", false));
  CHECK_FALSE(http::is_same_origin("file://", "", false));
}
