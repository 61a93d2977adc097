#include <brio/http/content_coding.hpp>
#include <brio/http/headers.hpp>

#include <algorithm>
#include <limits>
#include <new>

#include <zlib.h>

namespace brio::http {

class ContentDecoder::Impl {
public:
  Impl(bool gzip, const DecoderLimits& limits) : gzip_(gzip), limits_(limits) {}
  ~Impl() {
    if (started_) inflateEnd(&stream_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void decode(std::string_view& input, std::string& output, std::size_t max_output) {
    std::size_t room = max_output;
    while (room > 0) {
      if (ended_ && !next_member(input)) return;
      if (input.empty() && !pending_) return;
      if (!started_) start(input.front());
      const std::size_t produced = inflate_some(input, output, room);
      room -= produced;
      check_limits();
      if (produced == 0 && input.empty()) return;
    }
  }

  void finish() const {
    if (started_ && !ended_) throw ClientPayloadError("coded body ends too early");
  }

private:
  void start(char first) {
    // RFC 9110 §8.4.1.2 means zlib's format by "deflate", but some servers send it bare; a zlib
    // header's low nibble is 8, and no encoder begins bare data so.
    const bool zlib = (static_cast<unsigned char>(first) & 0x0f) == 8;
    const int window = gzip_ ? 16 + MAX_WBITS : zlib ? MAX_WBITS : -MAX_WBITS;
    if (inflateInit2(&stream_, window) != Z_OK) throw std::bad_alloc();
    started_ = true;
  }

  // After a gzip member another may come (RFC 1952 §2.2), or zeros that pad.
  bool next_member(std::string_view& input) {
    if (gzip_) input.remove_prefix(std::min(input.find_first_not_of('\0'), input.size()));
    if (input.empty()) return false;
    if (!gzip_ || static_cast<unsigned char>(input.front()) != 0x1f) {
      throw ClientPayloadError("junk after the coded body");
    }
    inflateReset(&stream_);
    ended_ = false;
    return true;
  }

  std::size_t inflate_some(std::string_view& input, std::string& output, std::size_t room) {
    constexpr std::size_t step = 64 * 1024;
    const std::size_t before = output.size();
    const std::size_t space = std::min(room, step);
    output.resize(before + space);
    const auto given =
        static_cast<uInt>(std::min<std::size_t>(input.size(), std::numeric_limits<uInt>::max()));
    // zlib's interface predates const; it does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = given;
    stream_.next_out = reinterpret_cast<Bytef*>(output.data() + before);
    stream_.avail_out = static_cast<uInt>(space);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    const std::size_t produced = space - stream_.avail_out;
    output.resize(before + produced);
    input.remove_prefix(given - stream_.avail_in);
    total_in_ += given - stream_.avail_in;
    total_out_ += produced;
    // A full output may have left more inside.
    pending_ = stream_.avail_out == 0;
    if (status == Z_STREAM_END) {
      ended_ = true;
      pending_ = false;
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw ClientPayloadError(std::string("coded body is damaged: ") +
                               (stream_.msg != nullptr ? stream_.msg : "needs a dictionary"));
    }
    return produced;
  }

  void check_limits() const {
    if (limits_.max_output && total_out_ > *limits_.max_output) {
      throw PayloadTooLarge("decoded body is larger than the limit of " +
                            std::to_string(*limits_.max_output) + " bytes");
    }
    if (total_out_ > limits_.ratio_floor && total_out_ / std::max<std::uint64_t>(total_in_, 1) >=
                                                std::max<std::uint64_t>(limits_.max_ratio, 1)) {
      throw PayloadTooLarge("decoded body is more than " + std::to_string(limits_.max_ratio) +
                            " times the coded one");
    }
  }

  z_stream stream_{};
  bool gzip_;
  DecoderLimits limits_;
  bool started_ = false;
  bool ended_ = false;
  bool pending_ = false;
  std::uint64_t total_in_ = 0;
  std::uint64_t total_out_ = 0;
};

bool ContentDecoder::supports(std::string_view coding) noexcept {
  return iequals(coding, "gzip") || iequals(coding, "x-gzip") || iequals(coding, "deflate");
}

ContentDecoder::ContentDecoder(std::string_view coding, const DecoderLimits& limits) {
  if (!supports(coding)) throw ValueError("unknown content coding '" + std::string(coding) + "'");
  impl_ = std::make_unique<Impl>(!iequals(coding, "deflate"), limits);
}
ContentDecoder::~ContentDecoder() = default;
ContentDecoder::ContentDecoder(ContentDecoder&&) noexcept = default;
ContentDecoder& ContentDecoder::operator=(ContentDecoder&&) noexcept = default;

void ContentDecoder::decode(std::string_view& input, std::string& output, std::size_t max_output) {
  impl_->decode(input, output, max_output);
}

void ContentDecoder::finish() const { impl_->finish(); }

}  // namespace brio::http
