#include <brio/exec/errors.hpp>

namespace brio::concurrent {

// Here, so that each class has its type information in one library.
Error::~Error() = default;
CancelledError::~CancelledError() = default;
BrokenExecutor::~BrokenExecutor() = default;
BrokenThreadPool::~BrokenThreadPool() = default;

}  // namespace brio::concurrent
