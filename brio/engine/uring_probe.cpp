// Can this kernel run the io_uring engine? Asked by making a small one.
#include <brio/engine/io_uring.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/engine/detail/uring_ring.hpp>

#include <cerrno>
#include <memory>
#include <sys/utsname.h>
#include <system_error>

namespace brio::engine {

namespace {

std::string kernel() {
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "this kernel";
}

std::string reason(int error) {
  switch (error) {
    case ENOSYS: return kernel() + " has no io_uring";
    case EINVAL: return kernel() + " is too old, io_uring needs Linux 6.1";
    case EPERM:
    case EACCES: return "it is forbidden here (kernel.io_uring_disabled, or a seccomp filter)";
    case ENOMEM: return "not enough locked memory is allowed (ulimit -l)";
    default: return std::generic_category().message(error);
  }
}

constexpr int needed[] = {IORING_OP_POLL_ADD, IORING_OP_RECV, IORING_OP_ACCEPT, IORING_OP_READ,
                          IORING_OP_ASYNC_CANCEL};

std::string probe() {
  try {
    Ring ring(8);
    const std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> operations(
        io_uring_get_probe_ring(&ring.raw()), io_uring_free_probe);
    if (!operations) return reason(EINVAL);
    for (const int operation : needed)
      if (!io_uring_opcode_supported(operations.get(), operation)) return reason(EINVAL);
    BufferRing buffers(8, 64);
    if (!buffers.attach(ring)) return reason(errno);
  } catch (const OSError& error) {
    return reason(error.code().value());
  } catch (const std::bad_alloc&) {
    return reason(ENOMEM);
  }
  return {};
}

}  // namespace

const std::string& io_uring_missing() {
  static const std::string missing = probe();
  return missing;
}

}  // namespace brio::engine
