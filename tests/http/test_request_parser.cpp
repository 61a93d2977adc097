// The server's parser: what it reads, byte by byte and at once, and what it refuses with which
// status.
#include <brio/http/request_parser.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace brio;
using namespace brio::http;

namespace {

struct Read {
  ReceivedRequest head;
  std::string body;
  Headers trailers;
  std::string rest;
  bool complete = false;
  bool keep_alive = false;
};

// Feeds `input` in pieces of `step` bytes.
Read read(std::string_view input, std::size_t step, ParserLimits limits = {}) {
  RequestParser parser(limits);
  Read result;
  while (!input.empty() && !result.complete) {
    std::string_view piece = input.substr(0, step);
    // The pieces lie elsewhere each time: nothing may point into an earlier one.
    const std::string copy(piece);
    std::string_view left = copy;
    while (true) {
      const auto [event, consumed, body] = parser.feed(left);
      left.remove_prefix(consumed);
      input.remove_prefix(consumed);
      result.body += body;
      if (event == RequestParser::Event::complete) {
        result.complete = true;
        break;
      }
      if (event == RequestParser::Event::need_more) {
        CHECK(left.empty());
        break;
      }
    }
  }
  result.head = parser.head();
  result.trailers = parser.trailers();
  result.keep_alive = parser.keep_alive();
  result.rest = input;
  return result;
}

// The status that `input` is refused with, 0 where it is not; the same however it is cut.
int refusal(std::string_view input, ParserLimits limits = RequestParser::server_limits()) {
  std::vector<int> codes;
  for (const std::size_t step : {input.size(), std::size_t(1), std::size_t(7)}) {
    try {
      (void)read(input, step, limits);
      codes.push_back(0);
    } catch (const HttpProcessingError& error) {
      codes.push_back(error.code());
    }
  }
  CHECK(codes[0] == codes[1]);
  CHECK(codes[0] == codes[2]);
  return codes[0];
}

std::string with_fields(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

std::string chunked(const std::string& body) {
  return with_fields("Transfer-Encoding: chunked\r\n", body);
}

}  // namespace

TEST_CASE("a request is read the same however it is cut") {
  const std::string text =
      "PUT /a%20b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-Empty:\r\nAccept: \t a, b \t\r\n"
      "Content-Length: 5\r\n\r\nhelloGET";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    CAPTURE(step);
    const Read got = read(text, step);
    REQUIRE(got.complete);
    CHECK(got.head.method == "PUT");
    CHECK(got.head.target == "/a%20b?c=d");
    CHECK(got.head.form == TargetForm::origin);
    CHECK(got.head.version == HttpVersion{1, 1});
    CHECK(got.head.headers == Headers{{"Host", "example.com:8080"},
                                      {"X-Empty", ""},
                                      {"Accept", "a, b"},
                                      {"Content-Length", "5"}});
    CHECK(got.body == "hello");
    CHECK(got.rest == "GET");
    CHECK(got.keep_alive);
  }
}

TEST_CASE("a chunked body with extensions and trailers") {
  const std::string text =
      chunked("5;a=b;c=\"d;\\\"e\"\r\nhello\r\n00A ; x\r\n, 01234567\r\n0\r\nX-Sum: 7\r\n\r\nrest");
  for (std::size_t step = 1; step <= text.size(); ++step) {
    CAPTURE(step);
    const Read got = read(text, step);
    REQUIRE(got.complete);
    CHECK(got.body == "hello, 01234567");
    CHECK(got.trailers == Headers{{"X-Sum", "7"}});
    CHECK(got.rest == "rest");
  }
}

TEST_CASE("one parser reads one request after the other") {
  RequestParser parser;
  std::string_view input =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "\r\nPOST /2 HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nx"
      "GET /3 HTTP/1.0\r\n\r\n";
  std::vector<std::string> seen;
  while (!input.empty()) {
    const auto [event, consumed, body] = parser.feed(input);
    input.remove_prefix(consumed);
    if (event == RequestParser::Event::head) seen.push_back(parser.head().target);
    if (event == RequestParser::Event::body) seen.emplace_back(body);
    if (event == RequestParser::Event::complete) parser.next();
  }
  CHECK(seen == std::vector<std::string>{"/1", "/2", "x", "/3"});
  CHECK_FALSE(parser.keep_alive());
}

TEST_CASE("whether the connection is kept") {
  CHECK(read(with_fields(""), 9999).keep_alive);
  CHECK_FALSE(read(with_fields("Connection: close\r\n"), 9999).keep_alive);
  CHECK_FALSE(read(with_fields("Connection: x , Close\r\n"), 9999).keep_alive);
  CHECK_FALSE(read("GET / HTTP/1.0\r\n\r\n", 9999).keep_alive);
  CHECK(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 9999).keep_alive);
}

TEST_CASE("the four forms of a target") {
  const auto form = [](const std::string& line) {
    return read(line + " HTTP/1.1\r\nHost: a\r\n\r\n", 9999).head.form;
  };
  CHECK(form("GET /") == TargetForm::origin);
  CHECK(form("GET //x/../y") == TargetForm::origin);
  CHECK(form("GET http://a/b") == TargetForm::absolute);
  CHECK(form("GET HTTPS://[::1]:443") == TargetForm::absolute);
  CHECK(form("OPTIONS *") == TargetForm::asterisk);
  CHECK(form("CONNECT a:443") == TargetForm::authority);
  for (const char* bad :
       {"GET *", "GET a", "GET a:80", "CONNECT /", "CONNECT a", "CONNECT a:", "CONNECT :80",
        "GET ftp://a/", "GET http://", "GET http://u@a/", "GET http://a b/", "GET /#f", "GET /\x7f",
        "GET /\x80", "GET /\x01", "GET ?a", "get\x01 /"}) {
    CAPTURE(bad);
    CHECK(refusal(std::string(bad) + " HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  }
}

TEST_CASE("a malformed request line is refused") {
  for (const char* line :
       {"GET  / HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "GET /  HTTP/1.1\r\n", " GET / HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\r\n", "GET /\r\n", "GET\r\n",
        "GET / http/1.1\r\n", "GET / HTTP/1.1x\r\n", "GET / HTTP/11\r\n", "GET / HTTP/1.\r\n",
        "G(T / HTTP/1.1\r\n", "GET / HTTQ/1.1\r\n", "\n", "\r\n\r\nGET / HTTP/1.1\r\n"}) {
    CAPTURE(line);
    CHECK(refusal(std::string(line) + "Host: a\r\n\r\n") == 400);
  }
  CHECK(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal("GET / HTTP/1.2\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal("GET / HTTP/0.9\r\nHost: a\r\n\r\n") == 505);
}

TEST_CASE("a malformed field is refused") {
  for (const char* fields :
       {"A : b\r\n", "A\t: b\r\n", ": b\r\n", "A\r\n", "A: b\n", "A: b\rc\r\n", "A: b\r\n c\r\n",
        "A: b\r\n\tc\r\n", " A: b\r\n", "A: \x01\r\n", "A: \x7f\r\n", "A b: c\r\n", "(: c\r\n",
        "A: b\n\r\n", "\xc3\xa4: b\r\n"}) {
    CAPTURE(fields);
    CHECK(refusal(with_fields(fields)) == 400);
  }
  CHECK(refusal(with_fields(std::string("A: \0\r\n", 6))) == 400);
  CHECK(refusal(with_fields("A: \xc3\xa4\r\n")) == 0);
}

TEST_CASE("each character, at each place of a value: taken or refused") {
  for (const std::size_t length : {1U, 7U, 8U, 9U, 16U, 23U}) {
    for (std::size_t place = 0; place < length; ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string value(length, '\x80');
        value[place] = static_cast<char>(c);
        const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nA: " + value + "\r\n\r\n";
        const bool good = c == '\t' || (c >= 0x20 && c != 0x7f);
        bool taken = false;
        try {
          const Read got = read(text, text.size(), RequestParser::server_limits());
          taken = got.complete && got.head.headers.get("A") == trimmed(value);
        } catch (const HttpProcessingError& error) {
          CHECK(error.code() == 400);
        }
        if (taken != good) FAIL_CHECK("length " << length << " place " << place << " byte " << c);
      }
    }
  }
}

TEST_CASE("Host: exactly one, and a host") {
  CHECK(refusal("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(refusal("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(refusal(with_fields("Host: a\r\n")) == 400);
  for (const char* host : {"a b", "a/b", "u@a", "a:b", "a:123456", "a,b", "[::1", "[]",
                           "[fe80::1%0]", "a:1:2", "http://a", "a\\b", "%zz"}) {
    CAPTURE(host);
    const bool list = std::string_view(host) == "a,b";  // ',' is among RFC 3986's sub-delims
    CHECK(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") == (list ? 0 : 400));
  }
  for (const char* host : {"", "a", "a.b:80", "[::1]:8080", "127.0.0.1", "a_b", "a:"}) {
    CAPTURE(host);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") == 0);
  }
}

TEST_CASE("what could smuggle a request is refused") {
  for (const char* fields :
       {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1, 1\r\n", "Content-Length: +1\r\n", "Content-Length: -1\r\n",
        "Content-Length: 0x1\r\n", "Content-Length: 1 1\r\n", "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length: 1.0\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding:\r\n", "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n"}) {
    CAPTURE(fields);
    CHECK(refusal(with_fields(fields)) == 400);
  }
  CHECK(refusal(with_fields("Transfer-Encoding: gzip, chunked\r\n")) == 501);
  CHECK(refusal(with_fields("Transfer-Encoding: chunked, chunked\r\n")) == 501);
  CHECK(refusal(with_fields("Transfer-Encoding: xchunked\r\n")) == 400);
  CHECK(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  CHECK(refusal(with_fields("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n")) == 0);
  CHECK(refusal(with_fields("Expect: 200-ok\r\n")) == 417);
}

TEST_CASE("malformed chunks are refused") {
  for (const char* body : {"\r\n",
                           "x\r\n",
                           "-1\r\n",
                           "+1\r\n",
                           "0x1\r\n",
                           " 1\r\n",
                           "1 \r\na\r\n0\r\n\r\n",
                           "1\na",
                           "1\r\nab",
                           "1\r\na\n",
                           "1\r\na0\r\n",
                           "1;\r\n",
                           "1;=\r\n",
                           "1;a=\r\n",
                           "1;a=\"b\r\n",
                           "1;a b\r\n",
                           "1 a\r\n",
                           "1;a=\x01\r\n",
                           "10000000000000000\r\n",
                           "1\r\r\n",
                           "0\r\nContent-Length: 1\r\n\r\n",
                           "0\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "0\r\nHost: a\r\n\r\n",
                           "0\r\nA : b\r\n\r\n",
                           "0\r\n\n",
                           "0\r\nA: b\r\n c\r\n\r\n"}) {
    CAPTURE(body);
    CHECK(refusal(chunked(body)) == 400);
  }
}

TEST_CASE("limits") {
  ParserLimits limits = RequestParser::server_limits();
  const std::string end = " HTTP/1.1\r\nHost: a\r\n\r\n";
  limits.max_line_size = 30;
  CHECK(refusal("GET /" + std::string(30 - 14, 'a') + end, limits) == 0);
  CHECK(refusal("GET /" + std::string(30 - 13, 'a') + end, limits) == 414);
  CHECK(refusal("GET /" + std::string(1000, 'a'), limits) == 414);
  CHECK(refusal(std::string(1000, 'A'), limits) == 414);

  limits = RequestParser::server_limits();
  limits.max_field_size = 20;
  CHECK(refusal(with_fields("A: " + std::string(17, 'b') + "\r\n"), limits) == 0);
  CHECK(refusal(with_fields("A: " + std::string(18, 'b') + "\r\n"), limits) == 431);
  CHECK(refusal(with_fields("A: " + std::string(1000, 'b')), limits) == 431);
  CHECK(refusal("GET / HTTP/1.1\r\n" + std::string(1000, 'b'), limits) == 431);

  limits = RequestParser::server_limits();
  limits.max_headers = 3;
  CHECK(refusal(with_fields("A: b\r\nA: b\r\n"), limits) == 0);
  CHECK(refusal(with_fields("A: b\r\nA: b\r\nA: b\r\n"), limits) == 431);
  CHECK(refusal(chunked("0\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"), limits) == 431);

  limits = RequestParser::server_limits();
  limits.max_header_bytes = 60;
  const std::string line = "POST / HTTP/1.1\r\nHost: a\r\n";  // 26, and the empty line 2
  CHECK(refusal(with_fields("A: " + std::string(60 - 26 - 2 - 5, 'b') + "\r\n"), limits) == 0);
  CHECK(refusal(with_fields("A: " + std::string(60 - 26 - 2 - 4, 'b') + "\r\n"), limits) == 431);

  limits = RequestParser::server_limits();
  limits.max_chunk_extensions = 10;
  CHECK(refusal(chunked("1;aaaaaaaaa\r\nx\r\n0\r\n\r\n"), limits) == 0);
  CHECK(refusal(chunked("1;aaaaaaaaaa\r\nx\r\n0\r\n\r\n"), limits) == 400);
  CHECK(refusal(chunked("1;aaaaa\r\nx\r\n1;aaaaa\r\nx\r\n0\r\n\r\n"), limits) == 400);
  CHECK(refusal(chunked("1;" + std::string(1000, 'a')), limits) == 400);

  limits = RequestParser::server_limits();
  limits.max_body_size = 10;
  CHECK(refusal(with_fields("Content-Length: 10\r\n"), limits) == 0);
  CHECK(refusal(with_fields("Content-Length: 11\r\n"), limits) == 413);
  CHECK(refusal(chunked("5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), limits) == 0);
  CHECK(refusal(chunked("5\r\nhello\r\n6\r\n"), limits) == 413);
}

TEST_CASE("what stands behind a request does not count for its limits") {
  ParserLimits limits = RequestParser::server_limits();
  limits.max_header_bytes = 60;
  const std::string behind(500, 'x');
  for (const std::size_t step : {std::size_t(1), std::size_t(30), std::size_t(9999)}) {
    CHECK(read(with_fields("") + behind, step, limits).rest == behind);
    CHECK(read(chunked("0\r\nA: b\r\n\r\n") + behind, step, limits).rest == behind);
  }
}

TEST_CASE("a request for an upgrade, and one that waits for leave to send its body") {
  RequestParser parser;
  (void)parser.feed(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: x\r\n\r\n");
  CHECK(parser.wants_upgrade());
  parser.next();
  (void)parser.feed(with_fields("Upgrade: x\r\n"));
  CHECK_FALSE(parser.wants_upgrade());
  parser.next();
  (void)parser.feed(with_fields("Expect: 100-Continue\r\nContent-Length: 3\r\n"));
  CHECK(parser.expects_continue());
  CHECK(parser.content_length() == 3);
}
