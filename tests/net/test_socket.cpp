#include <brio/core/exceptions.hpp>
#include <brio/net/socket.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <type_traits>
#include <unistd.h>

using brio::net::Socket;
using brio::net::SocketAddress;
using brio::net::TransportSocket;

static_assert(!std::is_copy_constructible_v<Socket>);
static_assert(std::is_nothrow_move_constructible_v<Socket>);

namespace {
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
}  // namespace

TEST_CASE("socket: close-on-exec, non-blocking, and closed exactly once") {
  int fd = -1;
  {
    Socket socket(AF_INET);
    fd = socket.fileno();
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(socket.getblocking());
    CHECK(socket.family() == AF_INET);
    CHECK(socket.type() == SOCK_STREAM);
    CHECK(socket.proto() == IPPROTO_TCP);
    Socket moved = std::move(socket);
    CHECK(moved.fileno() == fd);
    CHECK_FALSE(bool(socket));  // NOLINT(bugprone-use-after-move): what is asked
    Socket other(AF_INET);
    const int overwritten = other.fileno();
    other = std::move(moved);
    CHECK_FALSE(is_open(overwritten));
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("socket: detach gives the descriptor away, close is idempotent") {
  Socket socket(AF_UNIX);
  const int fd = socket.detach();
  socket.close();
  CHECK(is_open(fd));
  Socket again = Socket::adopt(fd);
  again.close();
  again.close();
  CHECK_FALSE(is_open(fd));
  CHECK(again.fileno() == -1);
}

TEST_CASE("socket: a pair carries bytes; an empty one would block; a closed one is at its end") {
  auto [a, b] = Socket::pair();
  CHECK_THROWS_AS((void)b.recv(10), brio::BlockingIOError);
  CHECK(a.send("hello") == 5);
  CHECK(b.recv(100) == "hello");
  a.close();
  CHECK(b.recv(100).empty());
  CHECK_THROWS_AS((void)b.send("x"), brio::BrokenPipeError);  // and no SIGPIPE
}

TEST_CASE("socket: listen, connect, accept, names") {
  Socket server = brio::net::bound_socket(SocketAddress::ip("127.0.0.1", 0));
  server.listen(5);
  const SocketAddress address = server.getsockname();
  CHECK(address.port() != 0);
  CHECK_THROWS_AS((void)server.accept(), brio::BlockingIOError);
  CHECK_THROWS_AS((void)server.getpeername(), brio::OSError);

  Socket client(AF_INET);
  client.setblocking(true);
  CHECK(client.connect(address));
  auto [accepted, peer] = server.accept();
  CHECK(peer == client.getsockname());
  CHECK(client.getpeername() == address);
  CHECK_FALSE(accepted.getblocking());
  CHECK(client.take_error() == 0);
}

TEST_CASE("socket: errors name the operation and the address") {
  Socket taken = brio::net::bound_socket(SocketAddress::ip("127.0.0.1", 0));
  taken.listen();
  try {
    (void)brio::net::bound_socket(taken.getsockname(), SOCK_STREAM, false);
    FAIL("no error");
  } catch (const brio::OSError& error) {
    CHECK(error.error_number() == EADDRINUSE);
    CHECK(std::string(error.what()) ==
          "bind to " + taken.getsockname().to_string() + " failed: Address already in use");
  }
  const SocketAddress address = taken.getsockname();
  taken.close();
  Socket client(AF_INET);
  client.setblocking(true);
  CHECK_THROWS_AS((void)client.connect(address), brio::ConnectionRefusedError);
}

TEST_CASE("socket: options as numbers, flags and structs") {
  Socket socket(AF_INET);
  socket.set_nodelay();
  CHECK(socket.getsockopt(IPPROTO_TCP, TCP_NODELAY) != 0);
  socket.set_keepalive();
  CHECK(socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE) != 0);
  socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, true);
  socket.setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 7});
  CHECK(socket.get_option<linger>(SOL_SOCKET, SO_LINGER).l_linger == 7);
  CHECK_THROWS_AS(socket.setsockopt(SOL_SOCKET, 9999, 1), brio::OSError);
  auto [a, b] = Socket::pair();
  CHECK_NOTHROW(a.set_nodelay());  // no TCP: nothing to do
  CHECK(a.peer_credentials().pid == ::getpid());
  CHECK(a.peer_credentials().uid == ::getuid());
}

TEST_CASE("socket: dup is a second, independent descriptor") {
  auto [a, b] = Socket::pair();
  Socket copy = a.dup();
  CHECK(copy.fileno() != a.fileno());
  CHECK((::fcntl(copy.fileno(), F_GETFD) & FD_CLOEXEC) != 0);
  a.close();
  CHECK(copy.send("x") == 1);
  CHECK(b.recv(1) == "x");
}

TEST_CASE("socket: abstract Unix addresses") {
  const SocketAddress name = SocketAddress::abstract("brio-test-" + std::to_string(::getpid()));
  Socket server = brio::net::bound_socket(name);
  server.listen();
  Socket client(AF_UNIX);
  CHECK(client.connect(name));
  CHECK(server.getsockname() == name);
  CHECK(client.getpeername() == name);
  auto [accepted, peer] = server.accept();
  CHECK(peer.family() == AF_UNIX);
  CHECK(peer.path().empty());
}
