// Feeds any bytes as requests, whole and in pieces: what is a request in one piece must be the same
// request in many, refused with the same status, and what is read of it must be free of what could
// end a line or begin another message.
#include <brio/http/request_parser.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using brio::http::Headers;
using brio::http::HttpProcessingError;
using brio::http::ParserLimits;
using brio::http::RequestParser;
using Event = RequestParser::Event;

namespace {

struct Outcome {
  int refused = 0;
  int requests = 0;
  std::string text;
};

void require(bool held) {
  if (!held) std::abort();
}

void tell(const Headers& fields, std::string& text) {
  for (const auto& field : fields) {
    require(brio::http::is_token(field.name) && brio::http::is_field_value(field.value));
    require(field.value == brio::http::trimmed(field.value));
    text.append(field.name).append(":").append(field.value).append("\n");
  }
}

void tell_head(RequestParser& parser, std::string& text) {
  const auto& head = parser.head();
  require(brio::http::is_token(head.method));
  require(!head.target.empty());
  for (const char c : head.target) require(c > 0x20 && c < 0x7f && c != '#');
  require(head.headers.getall("Host").size() <= 1);
  require(head.headers.getall("Content-Length").size() +
              head.headers.getall("Transfer-Encoding").size() <=
          1);
  require(parser.chunked() == head.headers.contains("Transfer-Encoding"));
  text.append(head.method).append(" ").append(head.target);
  text.append(std::to_string(head.version.minor))
      .append(parser.keep_alive() ? " keeps" : " closes");
  text.append(parser.wants_upgrade() ? " upgrade" : "");
  text.append(parser.expects_continue() ? " continue\n" : "\n");
  tell(head.headers, text);
}

Outcome parse(std::string_view stream, std::size_t step, const ParserLimits& limits) {
  Outcome outcome;
  RequestParser parser(limits);
  try {
    while (!stream.empty()) {
      // A copy, so that a view kept beyond its piece is found.
      const std::string copy(stream.substr(0, step));
      std::string_view piece = copy;
      stream.remove_prefix(piece.size());
      while (true) {
        const auto [event, consumed, body] = parser.feed(piece);
        require(consumed <= piece.size());
        if (event == Event::head) tell_head(parser, outcome.text);
        if (event == Event::body) {
          require(!body.empty() && body.data() >= piece.data() &&
                  body.data() + body.size() <= piece.data() + consumed);
          outcome.text += body;
        }
        piece.remove_prefix(consumed);
        if (event == Event::need_more) {
          require(piece.empty());
          break;
        }
        if (event == Event::complete) {
          tell(parser.trailers(), outcome.text);
          outcome.text += "\n";
          ++outcome.requests;
          parser.next();
        }
      }
    }
  } catch (const HttpProcessingError& error) {
    outcome.refused = error.code();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ParserLimits limits = RequestParser::server_limits();
  const unsigned choice = data[0];
  if ((choice & 1) != 0) limits.max_header_bytes = 256;
  if ((choice & 2) != 0) limits.max_line_size = 32;
  if ((choice & 4) != 0) limits.max_field_size = 32;
  if ((choice & 8) != 0) limits.max_headers = 4;
  if ((choice & 16) != 0) limits.max_body_size = 20;
  limits.max_chunk_extensions = 64;
  const std::size_t step = 1 + data[1] % 32;
  // A head that comes in pieces is looked at again with each line, so the last line has to end.
  const std::string stream = std::string(reinterpret_cast<const char*>(data + 2), size - 2) + '\n';
  const Outcome whole = parse(stream, stream.size() + 1, limits);
  const Outcome pieces = parse(stream, step, limits);
  // A piece may show that a limit is passed before another fault behind it is seen, or the other
  // way round; whether the stream is refused, and what was read of it before, is the same.
  require((whole.refused != 0) == (pieces.refused != 0));
  require(whole.refused != 0 || whole.text == pieces.text);
  require(whole.requests == pieces.requests);
  return 0;
}
