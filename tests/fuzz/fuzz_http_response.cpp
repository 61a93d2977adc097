// Feeds any bytes as a response, whole and in pieces: what is a message in one piece must be the
// same message in many.
#include <brio/http/parser.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using brio::http::ResponseParser;
using Event = ResponseParser::Event;

namespace {

struct Outcome {
  bool refused = false;
  bool complete = false;
  std::string text;
};

void require(bool held) {
  if (!held) std::abort();
}

Outcome parse(std::string_view stream, std::size_t step, const ResponseParser::Options& options) {
  Outcome outcome;
  try {
    ResponseParser parser(options);
    std::size_t taken = 0;
    while (!outcome.complete && !stream.empty()) {
      std::string_view piece = stream.substr(0, step);
      stream.remove_prefix(piece.size());
      while (true) {
        const auto [event, consumed, body] = parser.feed(piece);
        require(consumed <= piece.size());
        taken += consumed;
        if (event == Event::body) {
          require(!body.empty() && body.data() >= piece.data() &&
                  body.data() + body.size() <= piece.data() + consumed);
          outcome.text += body;
        }
        piece.remove_prefix(consumed);
        if (event == Event::head || event == Event::informational) {
          outcome.text += std::to_string(parser.head().status) + parser.head().reason + "\n";
          for (const auto& field : parser.head().headers) {
            outcome.text.append(field.name).append(":").append(field.value).append("\n");
          }
        }
        outcome.complete = event == Event::complete;
        if (event == Event::complete) {
          require(parser.is_complete());
          for (const auto& field : parser.trailers()) {
            outcome.text.append("\n").append(field.name).append(":").append(field.value);
          }
          outcome.text += parser.keep_alive() ? " keeps" : " closes";
          break;
        }
        if (event == Event::need_more) {
          require(piece.empty());
          break;
        }
      }
    }
    if (outcome.complete) outcome.text += " at " + std::to_string(taken);
    if (!outcome.complete) {
      parser.feed_eof();
      require(parser.is_complete());
    }
  } catch (const brio::http::ClientError&) {
    outcome.refused = true;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ResponseParser::Options options;
  const unsigned choice = data[0];
  if ((choice & 1) != 0) options.method = "HEAD";
  if ((choice & 2) != 0) options.method = "CONNECT";
  options.upgrade = (choice & 4) != 0;
  options.limits.max_header_bytes = (choice & 8) != 0 ? 256 : 65'536;
  options.limits.max_headers = 16;
  options.limits.max_chunk_extensions = 64;
  if ((choice & 16) != 0) options.limits.max_body_size = 20;
  const std::size_t step = 1 + data[1] % 32;
  const std::string_view stream(reinterpret_cast<const char*>(data + 2), size - 2);
  const Outcome whole = parse(stream, stream.size() + 1, options);
  const Outcome pieces = parse(stream, step, options);
  require(whole.complete == pieces.complete);
  require(whole.refused == pieces.refused);
  require(whole.refused || whole.text == pieces.text);
  return 0;
}
