#include <brio/http/parser.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using brio::http::BadHttpMessage;
using brio::http::ClientPayloadError;
using brio::http::ParserLimits;
using brio::http::PayloadTooLarge;
using brio::http::ResponseParser;
using brio::http::ServerDisconnectedError;
using Event = ResponseParser::Event;

namespace {

// What a stream parsed to, in one comparable text: interim heads, head, body, trailers, rest.
struct Parsed {
  std::string text;
  std::string rest;
  bool keep_alive = false;
};

std::string head_text(const brio::http::ResponseHead& head) {
  std::string text = std::to_string(head.version.major) + "." + std::to_string(head.version.minor) +
                     " " + std::to_string(head.status) + " " + head.reason + "\n";
  for (const auto& field : head.headers)
    text.append(field.name).append("=").append(field.value).append("\n");
  return text;
}

// Feeds `stream` in pieces of `step` bytes, then the end of the stream if `eof`.
Parsed parse(std::string_view stream, std::size_t step, const ResponseParser::Options& options,
             bool eof) {
  ResponseParser parser(options);
  Parsed parsed;
  std::string body;
  bool complete = false;
  const auto run = [&](std::string_view piece) {
    while (!complete) {
      const auto [event, consumed, data] = parser.feed(piece);
      REQUIRE(consumed <= piece.size());
      piece.remove_prefix(consumed);
      if (event == Event::need_more) {
        REQUIRE(piece.empty());
        return piece;
      }
      if (event == Event::informational || event == Event::head) {
        parsed.text += head_text(parser.head());
      }
      if (event == Event::body) body += data;
      complete = event == Event::complete;
    }
    return piece;
  };
  std::string_view left = stream;
  while (!left.empty() && !complete) {
    const std::string_view piece = left.substr(0, step);
    left.remove_prefix(piece.size());
    parsed.rest += run(piece);
  }
  parsed.rest += left;
  if (!complete && eof) {
    parser.feed_eof();
    run({});
  }
  parsed.text += "[" + body + "]";
  for (const auto& field : parser.trailers()) {
    parsed.text.append("\n").append(field.name).append("=").append(field.value);
  }
  if (!complete) parsed.text += " incomplete";
  if (complete) parsed.keep_alive = parser.keep_alive();
  CHECK(parser.is_complete() == complete);
  return parsed;
}

// Parses in one piece and in pieces of every small size; all must agree.
Parsed parse_all_ways(std::string_view stream, const ResponseParser::Options& options = {},
                      bool eof = false) {
  const Parsed whole = parse(stream, std::max<std::size_t>(1, stream.size()), options, eof);
  for (const std::size_t step : std::vector<std::size_t>{1, 2, 3, 5, 7, 16, 61}) {
    CAPTURE(step);
    const Parsed pieces = parse(stream, step, options, eof);
    CHECK(pieces.text == whole.text);
    CHECK(pieces.rest == whole.rest);
    CHECK(pieces.keep_alive == whole.keep_alive);
  }
  return whole;
}

template <class Error = BadHttpMessage>
bool refused(std::string_view stream, const ResponseParser::Options& options = {},
             bool eof = false) {
  int count = 0;
  const std::vector<std::size_t> steps{1, 2, 3, 7, std::max<std::size_t>(1, stream.size())};
  for (const std::size_t step : steps) {
    try {
      parse(stream, step, options, eof);
    } catch (const Error&) {
      ++count;
    }
  }
  return count == static_cast<int>(steps.size());
}

}  // namespace

TEST_CASE("a response with Content-Length, and what follows it is left") {
  const Parsed parsed = parse_all_ways(
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  v \t\r\nx-a: w\r\n\r\nhelloHTTP/1.1 404");
  CHECK(parsed.text == "1.1 200 OK\nContent-Length=5\nX-A=v\nx-a=w\n[hello]");
  CHECK(parsed.rest == "HTTP/1.1 404");
  CHECK(parsed.keep_alive);
}

TEST_CASE("bodies that are not there") {
  ResponseParser::Options head;
  head.method = "HEAD";
  CHECK(parse_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP", head).rest == "HTTP");
  CHECK(parse_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head).keep_alive);
  CHECK(parse_all_ways("HTTP/1.1 204 No Content\r\n\r\nX").rest == "X");
  CHECK(parse_all_ways("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nX").rest == "X");
  CHECK(parse_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nX").rest == "X");
  CHECK(parse_all_ways("HTTP/1.1 204 No Content\r\n\r\n").keep_alive);
  // Its five bytes would be taken for the next response.
  CHECK_FALSE(parse_all_ways("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello").keep_alive);
}

TEST_CASE("a body that the end of the connection delimits") {
  const Parsed parsed = parse_all_ways("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nall of it", {}, true);
  CHECK(parsed.text == "1.1 200 OK\nServer=x\n[all of it]");
  CHECK_FALSE(parsed.keep_alive);
  CHECK(parse_all_ways("HTTP/1.0 200 OK\r\n\r\n", {}, true).text == "1.0 200 OK\n[]");
  CHECK(parse_all_ways("HTTP/1.1 200 OK\r\n\r\nabc").text == "1.1 200 OK\n[abc] incomplete");
}

TEST_CASE("chunks, extensions and trailers") {
  const Parsed parsed = parse_all_ways(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n1;a=b;c=\"d;e\"\r\n,\r\n00A \t; x\r\n 123456789\r\n"
      "0\r\nX-Sum: 1\r\nX-Two:\r\n 2\r\n\r\nnext");
  CHECK(parsed.text ==
        "1.1 200 OK\nTransfer-Encoding=Chunked\n[hello, 123456789]\nX-Sum=1\nX-Two=2");
  CHECK(parsed.rest == "next");
  CHECK(parsed.keep_alive);
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(parse_all_ways(head + "0\r\n\r\nX").rest == "X");
  CHECK(parse_all_ways(head + "0\r\nA: b\r\n\r\n").text.ends_with("[]\nA=b"));
}

TEST_CASE("a large body in one read is not copied") {
  const std::string body(200'000, 'b');
  const std::string stream = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + body;
  ResponseParser parser;
  auto step = parser.feed(stream);
  CHECK(step.event == Event::head);
  CHECK(parser.content_length() == 200'000u);
  CHECK(parser.has_body());
  const std::string_view rest = std::string_view(stream).substr(step.consumed);
  step = parser.feed(rest);
  CHECK(step.event == Event::body);
  CHECK(step.body.data() == rest.data());
  CHECK(step.body.size() == body.size());
  CHECK(parser.feed({}).event == Event::complete);
  CHECK(parser.feed("x").consumed == 0);
}

TEST_CASE("interim responses come before the final one") {
  const Parsed parsed = parse_all_ways(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!");
  CHECK(parsed.text ==
        "1.1 100 Continue\n1.1 103 Early Hints\nLink=</a>\n1.1 200 OK\nContent-Length=1\n[!]");
  std::string many;
  for (int i = 0; i < 17; ++i) many += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(refused(many));
  ResponseParser::Options patient;
  patient.limits.max_informational = 17;
  CHECK_FALSE(refused(many, patient));
}

TEST_CASE("upgrades and tunnels leave the rest to another protocol") {
  ResponseParser::Options options;
  options.upgrade = true;
  const std::string_view stream =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP? no";
  const Parsed parsed = parse_all_ways(stream, options);
  CHECK(parsed.rest == "HTTP? no");
  CHECK_FALSE(parsed.keep_alive);
  CHECK(refused(stream));
  options = {};
  options.method = "CONNECT";
  CHECK(parse_all_ways("HTTP/1.1 200 OK\r\n\r\n\x16\x03", options).rest == "\x16\x03");
}

TEST_CASE("when a connection may be used again") {
  const auto keeps = [](std::string_view head) {
    return parse_all_ways(std::string(head) + "Content-Length: 0\r\n\r\n").keep_alive;
  };
  CHECK(keeps("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1 200 OK\r\nConnection: close\r\n"));
  CHECK_FALSE(keeps("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n"));
  CHECK_FALSE(keeps("HTTP/1.0 200 OK\r\n"));
  CHECK(keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"));
}

TEST_CASE("what two parsers could read differently is refused") {
  const auto with = [](std::string_view fields, std::string_view body = "") {
    return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n" + std::string(body);
  };
  CHECK(refused(with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")));
  CHECK(refused(with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")));
  CHECK(refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")));
  CHECK(refused(with("Transfer-Encoding: xchunked\r\n")));
  CHECK(refused(with("Transfer-Encoding: identity\r\n")));
  CHECK(refused(with("Transfer-Encoding: gzip, chunked\r\n")));
  CHECK(refused(with("Transfer-Encoding: chunked, identity\r\n")));
  CHECK(refused(with("Transfer-Encoding: chunked;q=1\r\n")));
  CHECK(refused(with("Transfer-Encoding:\r\n")));
  CHECK(refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  CHECK(refused(with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")));
  CHECK(refused(with("Content-Length: 5, 6\r\n", "hello")));
  CHECK(refused(with("Content-Length: 5, 5\r\nContent-Length: 6\r\n", "hello")));
  CHECK(refused(with("Content-Length: 5,\r\n", "hello")));
  CHECK(refused(with("Content-Length: ,5\r\n", "hello")));
  CHECK(refused(with("Content-Length: +5\r\n", "hello")));
  CHECK(refused(with("Content-Length: -5\r\n")));
  CHECK(refused(with("Content-Length: 0x5\r\n")));
  CHECK(refused(with("Content-Length: 5 5\r\n")));
  CHECK(refused(with("Content-Length:\r\n")));
  CHECK(refused(with("Content-Length: 99999999999999999999\r\n")));
  CHECK(refused(with("Content-Length : 5\r\n")));
  CHECK(refused(with(" Content-Length: 5\r\n")));
  CHECK(refused(with("A: b\nContent-Length: 5\r\n")));
  CHECK(refused(with("A: b\rContent-Length: 5\r\n")));
  CHECK(refused(with("A\r\n")));
  CHECK(refused(with(": b\r\n")));
  CHECK(refused(with("A b: c\r\n")));
  CHECK(refused(std::string("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", 26)));
}

TEST_CASE("bad chunks are refused") {
  const auto chunked = [](std::string_view body) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
  };
  CHECK(refused(chunked("5\r\nhelloX\r\n0\r\n\r\n")));
  CHECK(refused(chunked("5\r\nhello0\r\n\r\n")));
  CHECK(refused(chunked("x\r\nhello\r\n")));
  CHECK(refused(chunked("-1\r\n\r\n")));
  CHECK(refused(chunked("0x5\r\nhello\r\n\r\n")));
  CHECK(refused(chunked("+5\r\nhello\r\n")));
  CHECK(refused(chunked(" 5\r\nhello\r\n")));
  CHECK(refused(chunked("\r\n\r\n")));
  CHECK(refused(chunked("10000000000000000\r\n")));
  CHECK(refused(chunked("5 x\r\nhello\r\n")));
  CHECK(refused(chunked("5 5 \r\nhello\r\n")));
  CHECK(refused(chunked(" \r\nhello\r\n")));
  CHECK(refused(chunked("5 \rX\r\nhello\r\n")));
  CHECK(refused(chunked("5;a=\"x \r\nhello\r\n\"\r\n")));
  CHECK(refused(chunked("5;a=\"x\\ \r\nhello\r\n\"\r\n")));
  CHECK(refused(chunked("5\r\nhello \r\n0\r\n\r\n")));
  CHECK(refused(chunked("5\r\nhello\r\n \r\n0\r\n\r\n")));
  CHECK(refused(chunked("5" + std::string(20'000, ' '))));
  CHECK(refused(chunked("5" + std::string(20'000, ' ') + "\r\nhello\r\n0\r\n\r\n")));
  CHECK(refused(chunked("5;\r\nhello\r\n")));
  CHECK(refused(chunked("0\r\nContent-Length: 5\r\n\r\n")));
  CHECK(refused(chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n")));
  CHECK(refused(chunked("0\r\nA\r\n\r\n")));
  CHECK(refused(chunked("5\nhello\n0\n\n\r\n\r\n")));
}

TEST_CASE("status lines that are none") {
  for (const char* line :
       {"HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/1.2 200 OK", "http/1.1 200 OK",
        "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 20", "HTTP/1.1 2000",
        "HTTP/1.1 200\tOK", "HTTP/1.1 200\rOK", "HTTP/1.1 abc OK", "HTTP/1.1 099 X", "ICY 200 OK",
        " HTTP/1.1 200 OK", "<html>not HTTP at all"}) {
    CAPTURE(line);
    CHECK(refused(std::string(line) + "\r\n\r\n"));
  }
  CHECK(parse_all_ways("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").text ==
        "1.1 200 \nContent-Length=0\n[]");
}

TEST_CASE("slips of servers that all parsers read alike are taken") {
  const std::string expected = "1.1 200 \nContent-Length=5\n[hello]";
  SUBCASE("no space behind the status code") {
    const Parsed parsed =
        parse_all_ways("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 404");
    CHECK(parsed.text == expected);
    CHECK(parsed.rest == "HTTP/1.1 404");
    CHECK(parsed.keep_alive);
    CHECK(
        parse_all_ways("HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello").text ==
        "1.1 100 \n" + expected);
    CHECK(parse_all_ways("HTTP/1.1 204\r\n\r\nX").rest == "X");
  }
  SUBCASE("blanks behind a chunk's size") {
    const Parsed parsed = parse_all_ways(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2  \r\nhe\r\n1 \t\r\nl\r\n2;a=\"b \" \t\r\nlo\r\n0   \r\nX-Sum: 1\r\n\r\nnext");
    CHECK(parsed.text == "1.1 200 OK\nTransfer-Encoding=chunked\n[hello]\nX-Sum=1");
    CHECK(parsed.rest == "next");
    CHECK(parsed.keep_alive);
    CHECK(parse_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\nX").rest ==
          "X");
    // In front of a body that is longer than what is looked at for the line.
    const std::string body(5'000, 'b');
    const std::string whole = "1388 \r\n" + body + "\r\n0 \r\n\r\n";
    CHECK(parse_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + whole).text ==
          "1.1 200 OK\nTransfer-Encoding=chunked\n[" + body + "]");
  }
  SUBCASE("the same Content-Length again") {
    for (const char* fields :
         {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
          "Content-Length: 5 ,5,5\r\nContent-Length: 5, 5\r\n"}) {
      CAPTURE(fields);
      CHECK(parse_all_ways("HTTP/1.1 200 \r\n" + std::string(fields) + "\r\nhello").text ==
            expected);
    }
  }
}

TEST_CASE("limits, each with its knob") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const auto with = [](auto&& set) {
    ResponseParser::Options options;
    set(options.limits);
    return options;
  };
  SUBCASE("one field") {
    const std::string field = ok + "A: " + std::string(100, 'x') + "\r\nContent-Length: 0\r\n\r\n";
    CHECK_FALSE(refused(field, with([](ParserLimits& l) { l.max_field_size = 101; })));
    CHECK(refused(field, with([](ParserLimits& l) { l.max_field_size = 100; })));
    CHECK(refused(ok + "A: " + std::string(40'000, 'x') + "\r\n\r\n"));
  }
  SUBCASE("number of fields") {
    const std::string three = ok + "A: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n";
    CHECK_FALSE(refused(three, with([](ParserLimits& l) { l.max_headers = 3; })));
    CHECK(refused(three, with([](ParserLimits& l) { l.max_headers = 2; })));
  }
  SUBCASE("status line") {
    const std::string long_reason = "HTTP/1.1 200 " + std::string(50, 'x') + "\r\n\r\n";
    CHECK_FALSE(refused(long_reason, with([](ParserLimits& l) { l.max_line_size = 50; })));
    CHECK(refused(long_reason, with([](ParserLimits& l) { l.max_line_size = 49; })));
  }
  SUBCASE("whole head, also one that never ends") {
    std::string many = ok;
    for (int i = 0; i < 20; ++i) many += "Name: " + std::string(30, 'x') + "\r\n";
    CHECK(refused(many + "\r\n", with([](ParserLimits& l) { l.max_header_bytes = 400; })));
    CHECK(refused(many, with([](ParserLimits& l) { l.max_header_bytes = 400; })));
    // A body that comes together with the head's end does not count.
    const std::string body = "\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'b');
    CHECK_FALSE(
        refused("HTTP/1.1 200" + body, with([](ParserLimits& l) { l.max_header_bytes = 60; })));
    CHECK_FALSE(refused(many + "\r\n", with([](ParserLimits& l) { l.max_header_bytes = 800; })));
    CHECK(refused(std::string(140'000, 'H')));
    CHECK(refused(ok + "A: " + std::string(140'000, 'x')));
  }
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  SUBCASE("chunk extensions, and trailers without end") {
    std::string extensions = chunked;
    for (int i = 0; i < 10; ++i) extensions += "1;" + std::string(9, 'x') + "\r\n!\r\n";
    const auto limited = [&](std::size_t bytes) {
      return with([=](ParserLimits& l) { l.max_chunk_extensions = bytes; });
    };
    CHECK_FALSE(refused(extensions, limited(100)));
    CHECK(refused(extensions, limited(99)));
    const auto small = with([](ParserLimits& l) { l.max_header_bytes = 200; });
    CHECK(refused(chunked + "1;" + std::string(300, 'x'), small));
    CHECK(refused(chunked + "0\r\nA: " + std::string(300, 'x'), small));
    CHECK(refused(chunked + "0\r\nA: b\r\nB: c\r\nC: d\r\n\r\n",
                  with([](ParserLimits& l) { l.max_headers = 2; })));
  }
  SUBCASE("body") {
    const auto limited = with([](ParserLimits& l) { l.max_body_size = 5; });
    CHECK(refused<PayloadTooLarge>(ok + "Content-Length: 6\r\n\r\n", limited));
    CHECK_FALSE(refused<PayloadTooLarge>(ok + "Content-Length: 5\r\n\r\nhello", limited));
    CHECK(refused<PayloadTooLarge>(ok + "\r\n123456", limited));
    CHECK(refused<PayloadTooLarge>(chunked + "3\r\nabc\r\n3\r\nabc\r\n", limited));
  }
}

TEST_CASE("a stream that ends too early") {
  CHECK(refused<ServerDisconnectedError>("", {}, true));
  CHECK(refused<ServerDisconnectedError>("H", {}, true));
  CHECK(refused<ServerDisconnectedError>("HTTP/1.1 200", {}, true));
  CHECK(refused<ServerDisconnectedError>("HTTP/1.1 200 OK\r\nA: b\r\n", {}, true));
  CHECK(refused<ServerDisconnectedError>("HTTP/1.1 100 Continue\r\n\r\n", {}, true));
  CHECK(refused<ClientPayloadError>("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", {}, true));
  CHECK(refused<ClientPayloadError>("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {},
                                    true));
  CHECK(refused<ClientPayloadError>(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", {}, true));
  ResponseParser parser;
  CHECK_FALSE(parser.got_some());
  parser.feed("HTTP/1.1");
  CHECK(parser.got_some());
  parser = ResponseParser();
  parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  parser.feed("he");
  CHECK_THROWS_WITH(parser.feed_eof(),
                    "Response payload is not completed: the connection ended after 2 of 5 bytes");
}

TEST_CASE("a parser that has failed stays failed") {
  ResponseParser parser;
  CHECK_THROWS_AS(parser.feed("nonsense\r\n\r\n"), BadHttpMessage);
  CHECK_THROWS_AS(parser.feed("HTTP/1.1 200 OK\r\n\r\n"), BadHttpMessage);
}
