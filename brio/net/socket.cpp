#include <brio/net/socket.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace brio::net {

namespace {
// One size for every family that this room knows.
struct RawAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* raw() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] SocketAddress value() { return SocketAddress::from_raw(raw(), length); }
};

std::string to_address(const char* operation, const SocketAddress& address) {
  return std::string(operation) + address.to_string();
}
}  // namespace

int TransportSocket::family() const { return getsockopt(SOL_SOCKET, SO_DOMAIN); }
int TransportSocket::type() const { return getsockopt(SOL_SOCKET, SO_TYPE); }
int TransportSocket::proto() const { return getsockopt(SOL_SOCKET, SO_PROTOCOL); }

SocketAddress TransportSocket::getsockname() const {
  RawAddress address;
  if (::getsockname(fd_, address.raw(), &address.length) != 0) throw_oserror(errno, "getsockname");
  return address.value();
}

SocketAddress TransportSocket::getpeername() const {
  RawAddress address;
  if (::getpeername(fd_, address.raw(), &address.length) != 0) throw_oserror(errno, "getpeername");
  return address.value();
}

int TransportSocket::getsockopt(int level, int option) const {
  return get_option<int>(level, option);
}

void TransportSocket::get_option_bytes(int level, int option, void* value, std::size_t size) const {
  auto length = static_cast<socklen_t>(size);
  if (::getsockopt(fd_, level, option, value, &length) != 0) throw_oserror(errno, "getsockopt");
}

void TransportSocket::set_option_bytes(int level, int option, const void* value, std::size_t size) {
  if (::setsockopt(fd_, level, option, value, static_cast<socklen_t>(size)) != 0) {
    throw_oserror(errno, "setsockopt");
  }
}

void TransportSocket::setsockopt_text(int level, int option, std::string_view text) {
  set_option_bytes(level, option, text.data(), text.size());
}

void TransportSocket::set_nodelay(bool on) {
  const int value = on ? 1 : 0;
  // Not TCP (EOPNOTSUPP), or already reset by the peer (EINVAL elsewhere): nothing to gain then.
  (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
}

void TransportSocket::set_keepalive(bool on) { setsockopt(SOL_SOCKET, SO_KEEPALIVE, on); }

ucred TransportSocket::peer_credentials() const {
  return get_option<ucred>(SOL_SOCKET, SO_PEERCRED);
}

int TransportSocket::take_error() const { return getsockopt(SOL_SOCKET, SO_ERROR); }

Socket::Socket(int family, int type, int proto) {
  fd_ = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
  if (fd_ < 0) throw_oserror(errno, "socket");
}

Socket Socket::adopt(int fd) noexcept {
  Socket socket;
  socket.fd_ = fd;
  return socket;
}

std::pair<Socket, Socket> Socket::pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw_oserror(errno, "socketpair");
  }
  return {adopt(ends[0]), adopt(ends[1])};
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Socket::close() noexcept {
  if (fd_ < 0) return;
  brio::detail::descriptor_closes(fd_);
  // Linux frees the descriptor even when close(2) fails, so there is never a second try.
  ::close(std::exchange(fd_, -1));
}

Socket Socket::dup() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_oserror(errno, "dup");
  return adopt(copy);
}

void Socket::setblocking(bool blocking) {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0) throw_oserror(errno, "fcntl");
  const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd_, F_SETFL, wanted) != 0) throw_oserror(errno, "fcntl");
}

bool Socket::getblocking() const {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0) throw_oserror(errno, "fcntl");
  return (flags & O_NONBLOCK) == 0;
}

void Socket::bind(const SocketAddress& address) {
  if (::bind(fd_, address.raw(), address.raw_length()) != 0) {
    throw_oserror(errno, to_address("bind to ", address));
  }
}

void Socket::listen(int backlog) {
  if (::listen(fd_, backlog) != 0) throw_oserror(errno, "listen");
}

void Socket::shutdown(int how) {
  if (::shutdown(fd_, how) != 0) throw_oserror(errno, "shutdown");
}

bool Socket::connect(const SocketAddress& address) {
  if (::connect(fd_, address.raw(), address.raw_length()) == 0) return true;
  // An interrupted connect goes on in the kernel, like one in progress. EAGAIN is a Unix listener
  // whose backlog is full: nothing is under way then, so it is an error here.
  if (errno == EINPROGRESS || errno == EINTR) return false;
  throw_oserror(errno, to_address("connect to ", address));
}

std::pair<Socket, SocketAddress> Socket::accept() {
  RawAddress address;
  int fd = -1;
  do {
    fd = ::accept4(fd_, address.raw(), &address.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw_oserror(errno, "accept");
  return {adopt(fd), address.value()};
}

std::string Socket::recv(std::size_t size) {
  std::string data(size, '\0');
  data.resize(recv_into(data.data(), size));
  return data;
}

std::size_t Socket::recv_into(void* buffer, std::size_t size) {
  ssize_t count = 0;
  do {
    count = ::recv(fd_, buffer, size, 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw_oserror(errno, "recv");
  return static_cast<std::size_t>(count);
}

std::size_t Socket::send(std::string_view data) {
  ssize_t count = 0;
  do {
    count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw_oserror(errno, "send");
  return static_cast<std::size_t>(count);
}

Socket bound_socket(const SocketAddress& address, int type, bool reuse_address) {
  Socket socket(address.family(), type);
  if (reuse_address && address.family() != AF_UNIX) {
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, true);
  }
  socket.bind(address);
  return socket;
}

}  // namespace brio::net
