// WebSocket frames and messages, without I/O (RFC 6455, RFC 7692). Names are aiohttp's.
#pragma once

#include <brio/core/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace brio::http {

namespace detail {
class MessageInflater;
class MessageDeflater;
class MaskSource;
class Utf8Validator;
}  // namespace detail

/// What a message is (aiohttp.WSMsgType). The first six are opcodes of the wire.
enum class WSMsgType : std::uint16_t {
  continuation = 0x0,  ///< of a frame alone, never of a message
  text = 0x1,          ///< data is UTF-8
  binary = 0x2,        ///< data is any bytes
  close = 0x8,         ///< the peer closes: code and extra say why
  ping = 0x9,          ///< only with autoping off
  pong = 0xa,          ///< likewise
  closing = 0x100,     ///< we are closing: no message will come any more
  closed = 0x101,      ///< the connection is closed
  error = 0x102,       ///< the connection failed: error and extra say why
};

/// Why a WebSocket was closed (aiohttp.WSCloseCode; RFC 6455 §7.4.1 and IANA's registry).
struct WSCloseCode {
  static constexpr int ok = 1000;                   ///< done
  static constexpr int going_away = 1001;           ///< the server stops, the page is left
  static constexpr int protocol_error = 1002;       ///< what came is no WebSocket frame
  static constexpr int unsupported_data = 1003;     ///< a type of message that is not understood
  static constexpr int no_status_received = 1005;   ///< the peer gave none; never sent
  static constexpr int abnormal_closure = 1006;     ///< no close frame came; never sent
  static constexpr int invalid_text = 1007;         ///< text that is no UTF-8, bad compressed data
  static constexpr int policy_violation = 1008;     ///< against the rules of whoever closes
  static constexpr int message_too_big = 1009;      ///< over a limit
  static constexpr int mandatory_extension = 1010;  ///< the server lacks one that a client needs
  static constexpr int internal_error = 1011;       ///< a fault of whoever closes
  static constexpr int service_restart = 1012;      ///< come back soon
  static constexpr int try_again_later = 1013;      ///< too busy
  static constexpr int bad_gateway = 1014;          ///< what stands behind the server failed
};

/// Whether a close frame may carry `code`: what RFC 6455 §7.4 and IANA name, 3000 to 4999 for
/// libraries and applications.
[[nodiscard]] BRIO_API bool is_close_code(int code) noexcept;

/// A message, or what happened instead of one (aiohttp.WSMessage).
struct WSMessage {
  WSMsgType type = WSMsgType::closed;  ///< which of the others have a meaning
  std::string data = {};               ///< text, binary, ping, pong: what was sent
  std::string extra = {};              ///< close: the reason; error: what happened
  int code = 0;                        ///< close: WSCloseCode, or the peer's own
  std::exception_ptr error = nullptr;  ///< error: what happened
};

/// The peer broke the protocol or a limit (aiohttp.http.WebSocketError).
class BRIO_API WebSocketError : public std::runtime_error {
public:
  WebSocketError(int code, const std::string& message);
  WebSocketError(const WebSocketError&) = default;
  WebSocketError& operator=(const WebSocketError&) = default;
  ~WebSocketError() override;
  /// With what to close: WSCloseCode.
  [[nodiscard]] int code() const noexcept { return code_; }

private:
  int code_;
};

/// What a peer's messages may cost. Over one of them, WebSocketError 1009 (1008 for fragments).
struct WSLimits {
  /// Bytes of a message, decompressed; 0 for no limit.
  std::uint64_t max_msg_size = std::uint64_t(4) << 20;
  /// Bytes of one frame's payload as it is on the wire; 0 for no limit of its own.
  std::uint64_t max_frame_size = 0;
  /// Frames of one message, which may be empty and so cost nothing but time; 0 for any number.
  std::uint32_t max_fragments = std::uint32_t(1) << 20;
};

/// What permessage-deflate was agreed on (RFC 7692 §7.1), seen from one side.
struct WSDeflateParams {
  int send_window_bits = 15;                 ///< 8 to 15: our window
  int receive_window_bits = 15;              ///< 8 to 15: the peer's
  bool send_no_context_takeover = false;     ///< we forget our window after each message
  bool receive_no_context_takeover = false;  ///< the peer does
};

/// Messages out of a byte stream.
///
/// Strict: reserved bits and opcodes, masks where they must be (from clients) and nowhere else,
/// lengths in their shortest form, control frames whole and of at most 125 bytes, text in UTF-8,
/// close codes. A fault is told as soon as the bytes that make it have come: text is checked inside
/// of unfinished frames, also of compressed ones.
class BRIO_API WebSocketReader {
public:
  /// How to read.
  struct Options {
    /// We are the server: frames must be masked. A client's must not be.
    bool server = true;
    WSLimits limits = {};                                   ///< see there
    std::optional<WSDeflateParams> deflate = std::nullopt;  ///< what was agreed; nothing: none
  };

  explicit WebSocketReader(const Options& options);
  WebSocketReader(WebSocketReader&&) noexcept;
  WebSocketReader& operator=(WebSocketReader&&) noexcept;
  ~WebSocketReader();

  /// Takes from the front of `data` what belongs to the next message or control frame; gives it
  /// once it is whole. Nothing: `data` was used up. Throws WebSocketError; then, and after a close
  /// message, the reader is of no further use.
  [[nodiscard]] std::optional<WSMessage> feed(std::string_view& data);

private:
  void begin_frame(unsigned char first);
  void frame_size(unsigned char second);
  void end_header();
  [[nodiscard]] bool read_header(std::string_view& data);
  void take_payload(std::string_view data);
  void take_data(std::string_view data);
  void check_text(std::size_t from);
  [[nodiscard]] std::optional<WSMessage> end_frame();
  [[nodiscard]] WSMessage end_message();
  [[nodiscard]] WSMessage end_control();

  WSLimits limits_;
  bool server_;

  // The frame.
  std::array<unsigned char, 14> header_{};
  std::size_t header_size_ = 0;    // so much of it is there
  std::size_t header_wanted_ = 2;  // of so much
  bool in_payload_ = false;
  bool fin_ = false;
  WSMsgType opcode_ = WSMsgType::continuation;
  std::uint64_t left_ = 0;  // of the payload
  std::array<char, 4> mask_{};
  std::size_t mask_at_ = 0;

  // The message, of one frame or several.
  WSMsgType type_ = WSMsgType::continuation;  // this: none has begun
  bool compressed_ = false;
  std::uint32_t fragments_ = 0;
  std::string message_;
  std::string control_;
  std::unique_ptr<detail::Utf8Validator> text_;
  std::unique_ptr<detail::MessageInflater> inflater_;
};

/// Messages as bytes.
class BRIO_API WebSocketWriter {
public:
  /// How to write.
  struct Options {
    /// We are the client: frames are masked.
    bool client = false;
    std::optional<WSDeflateParams> deflate = std::nullopt;  ///< what was agreed; nothing: none
    int level = 6;                                          ///< zlib's, 1 (fast) to 9 (small)
    int mem_level = 5;  ///< zlib's, 1 (little memory) to 9 (fast)
  };

  explicit WebSocketWriter(const Options& options);
  WebSocketWriter(WebSocketWriter&&) noexcept;
  WebSocketWriter& operator=(WebSocketWriter&&) noexcept;
  ~WebSocketWriter();

  /// Whether messages can be compressed.
  [[nodiscard]] bool can_compress() const noexcept { return deflater_ != nullptr; }
  /// Appends a text or binary message as one frame. `payload` is not looked at: text must be UTF-8.
  void message(std::string& out, WSMsgType type, std::string_view payload, bool compress);
  /// Appends a ping or a pong. Throws ValueError for more than 125 bytes.
  void control(std::string& out, WSMsgType type, std::string_view payload);
  /// Appends a close frame; without a code for WSCloseCode::no_status_received. Throws ValueError
  /// for a code that must not be sent, a reason of more than 123 bytes or not in UTF-8.
  void close(std::string& out, int code, std::string_view reason);

private:
  void frame(std::string& out, unsigned first, std::string_view payload);

  std::unique_ptr<detail::MaskSource> masks_;
  std::unique_ptr<detail::MessageDeflater> deflater_;
  std::string compressed_;
};

}  // namespace brio::http
