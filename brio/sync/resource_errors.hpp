// What using a channel end can end with: trio's error family.
#pragma once

#include <brio/core/config.hpp>

#include <stdexcept>
#include <string>

namespace brio {

/// send_nowait or receive_nowait would have to wait (trio.WouldBlock).
class BRIO_API WouldBlock : public std::runtime_error {
public:
  WouldBlock() : std::runtime_error("") {}
  explicit WouldBlock(const std::string& text) : std::runtime_error(text) {}
  WouldBlock(const WouldBlock&) = default;
  WouldBlock& operator=(const WouldBlock&) = default;
  ~WouldBlock() override;
};

/// The other side is gone: nobody will ever receive this (trio.BrokenResourceError).
class BRIO_API BrokenResourceError : public std::runtime_error {
public:
  BrokenResourceError() : std::runtime_error("") {}
  explicit BrokenResourceError(const std::string& text) : std::runtime_error(text) {}
  BrokenResourceError(const BrokenResourceError&) = default;
  BrokenResourceError& operator=(const BrokenResourceError&) = default;
  ~BrokenResourceError() override;
};

/// This end was closed here, before or while it was used (trio.ClosedResourceError).
class BRIO_API ClosedResourceError : public std::runtime_error {
public:
  ClosedResourceError() : std::runtime_error("") {}
  explicit ClosedResourceError(const std::string& text) : std::runtime_error(text) {}
  ClosedResourceError(const ClosedResourceError&) = default;
  ClosedResourceError& operator=(const ClosedResourceError&) = default;
  ~ClosedResourceError() override;
};

/// All senders are closed and everything has been received (trio.EndOfChannel).
class BRIO_API EndOfChannel : public std::runtime_error {
public:
  EndOfChannel() : std::runtime_error("") {}
  explicit EndOfChannel(const std::string& text) : std::runtime_error(text) {}
  EndOfChannel(const EndOfChannel&) = default;
  EndOfChannel& operator=(const EndOfChannel&) = default;
  ~EndOfChannel() override;
};

}  // namespace brio
