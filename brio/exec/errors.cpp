#include <brio/exec/errors.hpp>

#include <utility>

namespace brio::concurrent {

// Here, so that each class has its type information in one library.
Error::~Error() = default;
CancelledError::~CancelledError() = default;
BrokenExecutor::~BrokenExecutor() = default;
BrokenThreadPool::~BrokenThreadPool() = default;
BrokenProcessPool::~BrokenProcessPool() = default;
SerializationError::~SerializationError() = default;
RemoteError::~RemoteError() = default;

RemoteError::RemoteError(std::string type, const std::string& message)
    : RuntimeError(type + ": " + message), type_(std::move(type)) {}

}  // namespace brio::concurrent
