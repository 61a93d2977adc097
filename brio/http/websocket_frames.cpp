#include <brio/http/websocket_frames.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/detail/random.hpp>
#include <brio/http/detail/utf8.hpp>
#include <brio/http/detail/websocket_deflate.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace brio::http {
namespace {

constexpr unsigned fin_bit = 0x80;
constexpr unsigned rsv1_bit = 0x40;
constexpr unsigned other_rsv_bits = 0x30;
constexpr unsigned mask_bit = 0x80;
constexpr std::size_t most_of_control = 125;

bool is_control(WSMsgType opcode) noexcept { return (static_cast<unsigned>(opcode) & 0x8) != 0; }

[[noreturn]] void refuse(const std::string& why, int code = WSCloseCode::protocol_error) {
  throw WebSocketError(code, why);
}

[[noreturn]] void refuse_size(std::uint64_t size, std::uint64_t most, const char* what) {
  refuse(std::string(what) + " of " + std::to_string(size) + " bytes is over the limit of " +
             std::to_string(most),
         WSCloseCode::message_too_big);
}

// Xors with the key from its byte `at` on, eight bytes at a time.
void mask(char* data, std::size_t size, const std::array<char, 4>& key, std::size_t at) noexcept {
  std::array<char, 8> turned;
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = key[(at + i) % 4];
  std::uint64_t wide = 0;
  std::memcpy(&wide, turned.data(), 8);
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i, 8);
    word ^= wide;
    std::memcpy(data + i, &word, 8);
  }
  for (; i < size; ++i) data[i] = static_cast<char>(data[i] ^ turned[i % 8]);
}

}  // namespace

bool is_close_code(int code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

WebSocketError::WebSocketError(int code, const std::string& message)
    : std::runtime_error(message), code_(code) {}
WebSocketError::~WebSocketError() = default;

// ---- reading

WebSocketReader::WebSocketReader(const Options& options)
    : limits_(options.limits),
      server_(options.server),
      text_(std::make_unique<detail::Utf8Validator>()) {
  if (options.deflate) {
    inflater_ = std::make_unique<detail::MessageInflater>(
        options.deflate->receive_window_bits, options.deflate->receive_no_context_takeover);
  }
}

WebSocketReader::WebSocketReader(WebSocketReader&&) noexcept = default;
WebSocketReader& WebSocketReader::operator=(WebSocketReader&&) noexcept = default;
WebSocketReader::~WebSocketReader() = default;

std::optional<WSMessage> WebSocketReader::feed(std::string_view& data) {
  while (true) {
    if (!in_payload_ && !read_header(data)) return std::nullopt;
    const std::string_view part = data.substr(0, std::min<std::uint64_t>(left_, data.size()));
    data.remove_prefix(part.size());
    left_ -= part.size();
    if (!part.empty()) take_payload(part);
    if (left_ > 0) return std::nullopt;
    in_payload_ = false;
    if (auto message = end_frame()) return message;
  }
}

// Each byte is looked at as soon as it is there, so that a bad frame is not waited for.
bool WebSocketReader::read_header(std::string_view& data) {
  while (header_size_ < header_wanted_) {
    if (data.empty()) return false;
    const auto byte = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    header_[header_size_++] = byte;
    if (header_size_ == 1) begin_frame(byte);
    if (header_size_ == 2) frame_size(byte);
  }
  end_header();
  return true;
}

void WebSocketReader::begin_frame(unsigned char first) {
  const unsigned number = first & 0x0f;
  if ((first & other_rsv_bits) != 0) refuse("reserved bit set");
  if (number > 0xa || (number > 0x2 && number < 0x8)) {
    refuse("reserved opcode " + std::to_string(number));
  }
  fin_ = (first & fin_bit) != 0;
  opcode_ = static_cast<WSMsgType>(number);
  const bool compressed = (first & rsv1_bit) != 0;
  const bool in_message = type_ != WSMsgType::continuation;
  if (compressed && (!inflater_ || is_control(opcode_) || opcode_ == WSMsgType::continuation)) {
    refuse("reserved bit set");
  }
  if (is_control(opcode_)) {
    if (!fin_) refuse("fragmented control frame");
    control_.clear();
  } else if (opcode_ == WSMsgType::continuation) {
    if (!in_message) refuse("continuation of no message");
  } else {
    if (in_message) refuse("a new message inside of another one");
    type_ = opcode_;
    compressed_ = compressed;
    fragments_ = 0;
  }
  if (!is_control(opcode_) && ++fragments_ > limits_.max_fragments && limits_.max_fragments > 0) {
    refuse("message of too many fragments", WSCloseCode::policy_violation);
  }
}

void WebSocketReader::frame_size(unsigned char second) {
  const bool masked = (second & mask_bit) != 0;
  if (masked != server_) refuse(server_ ? "frame without a mask" : "frame with a mask");
  const unsigned size = second & 0x7f;
  if (is_control(opcode_) && size > most_of_control) refuse("control frame is too long");
  if (opcode_ == WSMsgType::close && size == 1) refuse("half a close code");
  header_wanted_ = 2U + (size == 127 ? 8U : size == 126 ? 2U : 0U) + (masked ? 4U : 0U);
}

void WebSocketReader::end_header() {
  const std::size_t key_at = header_wanted_ - (server_ ? 4 : 0);
  left_ = header_[1] & 0x7f;
  if (key_at > 2) {
    left_ = 0;
    for (std::size_t i = 2; i < key_at; ++i) left_ = left_ << 8 | header_[i];
    if (left_ < (key_at == 4 ? 126U : 65'536U)) refuse("length not in its shortest form");
    if (left_ >> 63 != 0) refuse("length of 64 bits");
  }
  if (server_) std::memcpy(mask_.data(), header_.data() + key_at, mask_.size());
  mask_at_ = 0;
  header_size_ = 0;
  header_wanted_ = 2;
  in_payload_ = true;
  if (is_control(opcode_)) return;
  if (limits_.max_frame_size > 0 && left_ > limits_.max_frame_size) {
    refuse_size(left_, limits_.max_frame_size, "frame");
  }
  if (compressed_ || limits_.max_msg_size == 0) return;
  if (left_ > limits_.max_msg_size || message_.size() > limits_.max_msg_size - left_) {
    refuse_size(message_.size() + left_, limits_.max_msg_size, "message");
  }
}

void WebSocketReader::take_payload(std::string_view data) {
  if (!is_control(opcode_)) return take_data(data);
  const std::size_t before = control_.size();
  control_ += data;
  if (server_) mask(control_.data() + before, data.size(), mask_, mask_at_);
  mask_at_ += data.size();
}

void WebSocketReader::take_data(std::string_view data) {
  if (!compressed_) {
    const std::size_t before = message_.size();
    // A frame that is not all here yet: room for it at once, but not for what is only claimed.
    if (left_ > 0) message_.reserve(before + data.size() + std::min<std::uint64_t>(left_, 65'536));
    message_ += data;
    if (server_) mask(message_.data() + before, data.size(), mask_, mask_at_);
    mask_at_ += data.size();
    return check_text(before);
  }
  std::array<char, 4096> plain;
  while (!data.empty()) {
    std::string_view part = data;
    if (server_) {
      part = data.substr(0, plain.size());
      std::memcpy(plain.data(), part.data(), part.size());
      mask(plain.data(), part.size(), mask_, mask_at_);
      mask_at_ += part.size();
      part = {plain.data(), part.size()};
    }
    data.remove_prefix(part.size());
    const std::size_t before = message_.size();
    inflater_->feed(part, message_, limits_.max_msg_size);
    check_text(before);
  }
}

void WebSocketReader::check_text(std::size_t from) {
  if (type_ == WSMsgType::text && !text_->feed(std::string_view(message_).substr(from))) {
    refuse("text is not UTF-8", WSCloseCode::invalid_text);
  }
}

std::optional<WSMessage> WebSocketReader::end_frame() {
  if (is_control(opcode_)) return end_control();
  if (!fin_) return std::nullopt;
  return end_message();
}

WSMessage WebSocketReader::end_message() {
  if (compressed_) {
    const std::size_t before = message_.size();
    inflater_->finish(message_, limits_.max_msg_size);
    check_text(before);
  }
  if (type_ == WSMsgType::text && !text_->complete()) {
    refuse("text is not UTF-8", WSCloseCode::invalid_text);
  }
  return {.type = std::exchange(type_, WSMsgType::continuation),
          .data = std::exchange(message_, {})};
}

WSMessage WebSocketReader::end_control() {
  if (opcode_ != WSMsgType::close) {
    return {.type = opcode_, .data = std::exchange(control_, {})};
  }
  WSMessage message{.type = opcode_, .code = WSCloseCode::no_status_received};
  if (control_.empty()) return message;
  message.code =
      static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]);
  message.extra = control_.substr(2);
  if (!is_close_code(message.code)) refuse("close code " + std::to_string(message.code));
  if (!detail::is_utf8(message.extra)) {
    refuse("reason of a close is not UTF-8", WSCloseCode::invalid_text);
  }
  return message;
}

// ---- writing

WebSocketWriter::WebSocketWriter(const Options& options) {
  if (options.client) masks_ = std::make_unique<detail::MaskSource>();
  if (options.deflate) {
    deflater_ = std::make_unique<detail::MessageDeflater>(options.deflate->send_window_bits,
                                                          options.deflate->send_no_context_takeover,
                                                          options.level, options.mem_level);
  }
}

WebSocketWriter::WebSocketWriter(WebSocketWriter&&) noexcept = default;
WebSocketWriter& WebSocketWriter::operator=(WebSocketWriter&&) noexcept = default;
WebSocketWriter::~WebSocketWriter() = default;

void WebSocketWriter::frame(std::string& out, unsigned first, std::string_view payload) {
  std::array<char, 14> header;
  std::size_t size = 2;
  const unsigned masked = masks_ ? mask_bit : 0;
  const auto put_length = [&](unsigned mark, unsigned count) {
    header[1] = static_cast<char>(masked | mark);
    for (unsigned i = 0; i < count; ++i) {
      header[size++] = static_cast<char>(payload.size() >> (8 * (count - 1 - i)) & 0xff);
    }
  };
  header[0] = static_cast<char>(first);
  if (payload.size() < 126) {
    put_length(static_cast<unsigned>(payload.size()), 0);
  } else if (payload.size() < 65'536) {
    put_length(126, 2);
  } else {
    put_length(127, 8);
  }
  std::array<char, 4> key{};
  if (masks_) {
    key = masks_->next();
    std::memcpy(header.data() + size, key.data(), key.size());
    size += key.size();
  }
  out.reserve(out.size() + size + payload.size());
  out.append(header.data(), size);
  out += payload;
  if (masks_) mask(out.data() + out.size() - payload.size(), payload.size(), key, 0);
}

void WebSocketWriter::message(std::string& out, WSMsgType type, std::string_view payload,
                              bool compress) {
  const unsigned first = fin_bit | static_cast<unsigned>(type);
  // Nothing is no shorter in any form.
  if (!compress || !deflater_ || payload.empty()) return frame(out, first, payload);
  deflater_->deflate(payload, compressed_);
  frame(out, first | rsv1_bit, compressed_);
  if (compressed_.capacity() > 65'536) compressed_ = {};
}

void WebSocketWriter::control(std::string& out, WSMsgType type, std::string_view payload) {
  if (payload.size() > most_of_control) {
    throw ValueError("a control frame has at most 125 bytes");
  }
  frame(out, fin_bit | static_cast<unsigned>(type), payload);
}

void WebSocketWriter::close(std::string& out, int code, std::string_view reason) {
  if (code == WSCloseCode::no_status_received && reason.empty()) {
    return control(out, WSMsgType::close, {});
  }
  if (!is_close_code(code)) throw ValueError("no close code: " + std::to_string(code));
  if (!detail::is_utf8(reason)) throw ValueError("the reason of a close must be UTF-8");
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason;
  control(out, WSMsgType::close, payload);
}

}  // namespace brio::http
