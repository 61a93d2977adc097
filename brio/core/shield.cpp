#include <brio/core/shield.hpp>

namespace brio::detail {

void LogShielded::operator()(const AnyFuture& inner) const {
  if (inner.cancelled()) return;
  const std::exception_ptr error = inner.exception();
  if (!error) return;
  ExceptionContext context;
  context.message = type_name(error) + " exception in shielded future";
  context.exception = error;
  context.future = inner;
  context.where = inner.where();
  inner.get_loop().call_exception_handler(context);
}

}  // namespace brio::detail
