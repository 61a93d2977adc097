// Any bytes as a coded body, whole and in pieces.
#include <brio/http/content_coding.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

// The decoded text, or "!" for a refusal.
std::string decode(const char* coding, std::string_view data, std::size_t step,
                   std::size_t max_output) {
  brio::http::DecoderLimits limits;
  limits.max_output = 1'000'000;
  try {
    brio::http::ContentDecoder decoder(coding, limits);
    std::string out;
    while (!data.empty()) {
      std::string_view piece = data.substr(0, step);
      data.remove_prefix(piece.size());
      std::size_t produced = max_output;
      while (produced == max_output || !piece.empty()) {
        const std::size_t before = out.size();
        decoder.decode(piece, out, max_output);
        produced = out.size() - before;
        if (produced > max_output) std::abort();
      }
    }
    decoder.finish();
    return "=" + out;
  } catch (const brio::http::ClientPayloadError&) {
    return "!";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const char* coding = (data[0] & 1) != 0 ? "gzip" : "deflate";
  const std::size_t step = 1 + data[1] % 16;
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::string whole = decode(coding, body, body.size() + 1, 100'000);
  if (whole != decode(coding, body, step, 1 + data[0])) std::abort();
  return 0;
}
