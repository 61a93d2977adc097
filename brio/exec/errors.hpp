// The errors of concurrent.futures.
#pragma once

#include <brio/core/exceptions.hpp>

#include <stdexcept>
#include <string>

namespace brio::concurrent {

/// Base of the errors of this namespace (concurrent.futures.Error).
class BRIO_API Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;
  ~Error() override;
};

/// The concurrent future was cancelled (concurrent.futures.CancelledError). An ordinary error,
/// unlike brio::CancelledError; it becomes that one where it enters a loop.
class BRIO_API CancelledError : public Error {
public:
  CancelledError() : Error("the future was cancelled") {}
  explicit CancelledError(const std::string& text) : Error(text) {}
  CancelledError(const CancelledError&) = default;
  CancelledError& operator=(const CancelledError&) = default;
  ~CancelledError() override;
};

/// The future is not in a state that allows this; one class for both kinds of futures.
using brio::InvalidStateError;

/// An executor cannot go on (concurrent.futures.BrokenExecutor).
class BRIO_API BrokenExecutor : public RuntimeError {
public:
  using RuntimeError::RuntimeError;
  BrokenExecutor(const BrokenExecutor&) = default;
  BrokenExecutor& operator=(const BrokenExecutor&) = default;
  ~BrokenExecutor() override;
};

/// The initializer of a pool's thread failed (concurrent.futures.thread.BrokenThreadPool).
class BRIO_API BrokenThreadPool : public BrokenExecutor {
public:
  using BrokenExecutor::BrokenExecutor;
  BrokenThreadPool(const BrokenThreadPool&) = default;
  BrokenThreadPool& operator=(const BrokenThreadPool&) = default;
  ~BrokenThreadPool() override;
};

/// A worker process of a pool has ended by itself, or the pool's initializer failed
/// (concurrent.futures.process.BrokenProcessPool). The text says which worker, and how it ended.
class BRIO_API BrokenProcessPool : public BrokenExecutor {
public:
  using BrokenExecutor::BrokenExecutor;
  BrokenProcessPool(const BrokenProcessPool&) = default;
  BrokenProcessPool& operator=(const BrokenProcessPool&) = default;
  ~BrokenProcessPool() override;
};

/// A value cannot go to another process, or what came is not what was sent (pickle.PickleError).
class BRIO_API SerializationError : public Error {
public:
  using Error::Error;
  SerializationError(const SerializationError&) = default;
  SerializationError& operator=(const SerializationError&) = default;
  ~SerializationError() override;
};

/// What a call threw in another process, of a type that cannot be brought over. what() is
/// "<type>: <message>".
class BRIO_API RemoteError : public RuntimeError {
public:
  RemoteError(std::string type, const std::string& message);
  RemoteError(const RemoteError&) = default;
  RemoteError& operator=(const RemoteError&) = default;
  ~RemoteError() override;
  /// The demangled name of the original type.
  [[nodiscard]] const std::string& type() const noexcept { return type_; }

private:
  std::string type_;
};

}  // namespace brio::concurrent
