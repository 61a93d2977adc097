// permessage-deflate (RFC 7692): messages through zlib.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;  // zlib's

namespace brio::http::detail {

/// The peer's compressed messages. zlib's memory is taken with the first of them.
class MessageInflater {
public:
  MessageInflater(int window_bits, bool no_context_takeover) noexcept;
  MessageInflater(const MessageInflater&) = delete;
  MessageInflater& operator=(const MessageInflater&) = delete;
  ~MessageInflater();

  /// Appends what comes out of a piece of a message. Throws WebSocketError: 1007 for bad data, 1009
  /// where `out` would grow beyond `most` bytes (0: any number).
  void feed(std::string_view data, std::string& out, std::uint64_t most);
  /// The message has ended.
  void finish(std::string& out, std::uint64_t most);

private:
  void run(std::string_view data, std::string& out, std::uint64_t most);
  void restart();

  int window_bits_;
  bool no_context_takeover_;
  bool block_ended_ = false;            // by a block that calls itself the last one
  unsigned restarts_ = 0;               // behind such blocks, in this message
  std::unique_ptr<z_stream_s> stream_;  // null: nothing has come yet
};

/// Our messages, compressed. zlib's memory is taken with the first of them.
class MessageDeflater {
public:
  MessageDeflater(int window_bits, bool no_context_takeover, int level, int mem_level) noexcept;
  MessageDeflater(const MessageDeflater&) = delete;
  MessageDeflater& operator=(const MessageDeflater&) = delete;
  ~MessageDeflater();

  /// Puts the payload of a message, which must not be empty, into `out`.
  void deflate(std::string_view message, std::string& out);

private:
  int window_bits_;
  bool no_context_takeover_;
  int level_;
  int mem_level_;
  std::unique_ptr<z_stream_s> stream_;  // null: nothing was sent yet
};

}  // namespace brio::http::detail
