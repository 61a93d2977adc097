// Descriptors sent over Unix sockets.
#include "support.hpp"

#include <brio/core/exceptions.hpp>
#include <brio/net/sock_fds.hpp>

#include <fcntl.h>
#include <filesystem>

using namespace brio;
using brio::tests::ticks;

namespace {

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

}  // namespace

TEST_CASE("sock_send_fds: a connection goes to another socket's reader, and works there") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto [peer, handed] = net::Socket::pair();
    auto receiving = create_task(sock_recv_fds(b, 100));
    co_await ticks(3);
    co_await sock_send_fds(a, "take this", {handed.fileno()});
    handed.close();
    net::ReceivedFds got = co_await std::move(receiving);
    CHECK(got.data == "take this");
    CHECK(!got.truncated);
    REQUIRE(got.fds.size() == 1);
    CHECK((::fcntl(got.fds[0].fileno(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(got.fds[0].send("through it") == 10);
    CHECK(peer.recv(100) == "through it");
  }());
}

TEST_CASE("sock_recv_fds: cancelled it loses neither bytes nor descriptors") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto first = create_task(sock_recv_fds(b, 100));
    co_await ticks(3);
    co_await sock_send_fds(a, "x", {a.fileno()});
    first.cancel();
    CHECK((co_await as_outcome(first)).cancelled());
    const net::ReceivedFds got = co_await sock_recv_fds(b, 100);
    CHECK(got.data == "x");
    CHECK(got.fds.size() == 1);
  }());
}

TEST_CASE("sock_recv_fds: what there is no room for is closed, and told") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const std::ptrdiff_t before = open_descriptors();
    for (const std::size_t room : {0U, 1U, 2U, 3U, 4U}) {
      CAPTURE(room);
      co_await sock_send_fds(a, "abc", {a.fileno(), b.fileno(), a.fileno()});
      const net::ReceivedFds got = co_await sock_recv_fds(b, 100, room);
      CHECK(got.data == "abc");
      CHECK(got.fds.size() == std::min<std::size_t>(room, 3));
      CHECK(got.truncated == (room < 3));
      CHECK(open_descriptors() == before + static_cast<std::ptrdiff_t>(got.fds.size()));
    }
    a.close();
    const net::ReceivedFds end = co_await sock_recv_fds(b, 100);
    CHECK(end.data.empty());
  }());
}

TEST_CASE("sock_send_fds: more than the socket takes at once, with the descriptor at the front") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const std::string much(3'000'000, 'm');
    auto sending = create_task(sock_send_fds(a, much, {b.fileno()}));
    std::size_t got = 0;
    std::size_t fds = 0;
    while (got < much.size()) {
      const net::ReceivedFds piece = co_await sock_recv_fds(b, 1 << 16);
      if (got == 0) fds = piece.fds.size();
      CHECK((got == 0 || piece.fds.empty()));
      got += piece.data.size();
    }
    co_await sending;
    CHECK(fds == 1);
  }());
}

TEST_CASE("sock_send_fds: misuse is told") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const auto error = [](Coro<void> what) -> Coro<std::string> {
      const auto outcome = co_await as_outcome(std::move(what));
      co_return outcome ? "none" : tests::Trace::name_of(outcome.error());
    };
    const std::string empty = co_await error(sock_send_fds(a, "", {a.fileno()}));
    CHECK(empty == "ValueError");
    const std::string negative = co_await error(sock_send_fds(a, "x", {-1}));
    CHECK(negative == "ValueError");
    const std::string closed = co_await error(sock_send_fds(a, "x", {54321}));
    CHECK(closed == "OSError");
    const std::string many = co_await error(sock_send_fds(a, "x", std::vector<int>(254, 0)));
    CHECK(many == "ValueError");
    // The most that a message carries.
    co_await sock_send_fds(a, "x", std::vector<int>(net::max_fds_per_message, a.fileno()));
    const net::ReceivedFds all = co_await sock_recv_fds(b, 1, net::max_fds_per_message);
    CHECK(all.fds.size() == net::max_fds_per_message);
  }());
}
