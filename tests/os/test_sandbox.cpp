// Run by another test in a process of its own: what the kernel does not offer.
#include "support.hpp"

#include <cstddef>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

using namespace brio::tests;
using brio::Coro;
using brio::subprocess::PIPE;

namespace {

// From now on this process and its children are told that there is no such system call.
bool forbid(std::initializer_list<unsigned> calls) {
  std::vector<sock_filter> program{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const unsigned call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("in a sandbox without close_range" * doctest::skip()) {
  const NothingLeft nothing_left;
  REQUIRE(forbid({SYS_close_range, SYS_pidfd_open}));
  brio::run([]() -> Coro<> {
    std::vector<brio::os::Descriptor> inheritable;
    for (int i = 0; i < 300; ++i) {
      inheritable.push_back(brio::os::Descriptor::adopt(dup(STDERR_FILENO)));
    }
    const auto process = co_await brio::create_subprocess_exec(
        "ls", {"/proc/self/fd"}, {.stdout = PIPE, .pass_fds = {{2, 9}}});
    auto [out, err] = co_await process.communicate();
    CHECK(out == "0\n1\n2\n3\n9\n");
  });
}
