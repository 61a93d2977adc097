#include <brio/http/content_coding.hpp>

#include <doctest/doctest.h>

#include <string>

#include <zlib.h>

using brio::http::ClientPayloadError;
using brio::http::ContentDecoder;
using brio::http::DecoderLimits;
using brio::http::PayloadTooLarge;

namespace {

// `window` as deflateInit2 takes it: 31 gzip, 15 zlib, -15 bare.
std::string deflated(std::string_view text, int window) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string inflated(std::string_view coding, std::string_view data, std::size_t step,
                     std::size_t max_output, const DecoderLimits& limits = {}) {
  ContentDecoder decoder(coding, limits);
  std::string out;
  while (!data.empty()) {
    std::string_view piece = data.substr(0, step);
    data.remove_prefix(piece.size());
    while (true) {
      const std::size_t before = out.size();
      decoder.decode(piece, out, max_output);
      REQUIRE(out.size() - before <= max_output);
      if (piece.empty() && out.size() - before < max_output) break;
    }
  }
  decoder.finish();
  return out;
}

std::string sample() {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += std::to_string(i * 7919) + ",";
  return text;
}

}  // namespace

TEST_CASE("gzip, zlib and bare deflate, in pieces of any size") {
  const std::string text = sample();
  for (const auto& [coding, window] : {std::pair("gzip", 31), std::pair("X-GZip", 31),
                                       std::pair("deflate", 15), std::pair("Deflate", -15)}) {
    CAPTURE(coding);
    const std::string data = deflated(text, window);
    CHECK(inflated(coding, data, data.size(), 1'000'000) == text);
    CHECK(inflated(coding, data, 1, 1'000'000) == text);
    CHECK(inflated(coding, data, 7, 10) == text);
    CHECK(inflated(coding, data, data.size(), 1) == text);
    CHECK(inflated(coding, deflated("", window), 1, 10).empty());
  }
}

TEST_CASE("gzip members follow one another, zeros may pad") {
  const std::string two = deflated("one,", 31) + deflated("two", 31);
  CHECK(inflated("gzip", two, two.size(), 100) == "one,two");
  CHECK(inflated("gzip", two, 1, 2) == "one,two");
  CHECK(inflated("gzip", two + std::string(10, '\0'), 3, 100) == "one,two");
  CHECK_THROWS_AS(inflated("gzip", two + "junk", 100, 100), ClientPayloadError);
  CHECK_THROWS_AS(inflated("deflate", deflated("x", 15) + "junk", 100, 100), ClientPayloadError);
}

TEST_CASE("damaged and short bodies") {
  const std::string text = sample();
  std::string data = deflated(text, 31);
  CHECK_THROWS_AS(inflated("gzip", data.substr(0, data.size() - 1), 100, 1'000),
                  ClientPayloadError);
  CHECK_THROWS_AS(inflated("gzip", "plain text", 100, 1'000), ClientPayloadError);
  data[data.size() / 2] = static_cast<char>(data[data.size() / 2] ^ 0x55);
  CHECK_THROWS_AS(inflated("gzip", data, 100, 1'000), ClientPayloadError);
  CHECK(inflated("gzip", "", 1, 10).empty());
  CHECK_THROWS_AS(ContentDecoder("br2"), brio::ValueError);
  CHECK_FALSE(ContentDecoder::supports("identity"));
  CHECK_FALSE(ContentDecoder::supports("gzip, gzip"));
}

TEST_CASE("bombs are stopped") {
  const std::string bomb = deflated(std::string(10'000'000, '\0'), 31);
  CHECK(bomb.size() < 20'000);
  CHECK(inflated("gzip", bomb, 1'000, 65'536).size() == 10'000'000);  // under the default floor
  DecoderLimits limits;
  limits.ratio_floor = 1'000'000;
  CHECK_THROWS_AS(inflated("gzip", bomb, 1'000, 65'536, limits), PayloadTooLarge);
  limits.max_ratio = 2'000;
  CHECK(inflated("gzip", bomb, 1'000, 65'536, limits).size() == 10'000'000);
  limits.max_output = 9'999'999;
  CHECK_THROWS_AS(inflated("gzip", bomb, 1'000, 65'536, limits), PayloadTooLarge);
  limits.max_output = 10'000'000;
  CHECK(inflated("gzip", bomb, 1'000, 65'536, limits).size() == 10'000'000);
}
