#include <brio/net/datagram.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/net/addrinfo.hpp>
#include <brio/net/datagram_transport.hpp>
#include <brio/net/resolver.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/stale_socket.hpp>

#include <utility>
#include <vector>

namespace brio::net::detail {

namespace {

// One way to make the endpoint: our address and the peer's, in one family.
struct Candidate {
  int family = 0;
  int proto = 0;
  SocketAddress local;
  SocketAddress remote;
};

Coro<std::vector<AddrInfo>> resolve(DatagramAddress wanted, DatagramOptions options) {
  std::vector<AddrInfo> found;
  if (wanted.address()) {
    found.push_back({wanted.address().family(), SOCK_DGRAM, options.proto, {}, wanted.address()});
    co_return found;
  }
  if (wanted.port() < 0 || wanted.port() > 65535) throw ValueError("port must be 0-65535");
  const AddrInfoHints hints{options.family, SOCK_DGRAM, options.proto, options.flags};
  const std::string service = std::to_string(wanted.port());
  co_return co_await brio::getaddrinfo(
      wanted.host().empty() ? std::nullopt : std::optional<std::string>(wanted.host()), service,
      hints);
}

Coro<std::vector<Candidate>> candidates_for(DatagramOptions options) {
  std::vector<Candidate> candidates;
  if (!options.local_addr && !options.remote_addr) {
    if (options.family == 0) throw ValueError("unexpected address family");
    candidates.push_back({options.family, options.proto, {}, {}});
    co_return candidates;
  }
  std::vector<AddrInfo> locals;
  std::vector<AddrInfo> remotes;
  if (options.local_addr) locals = co_await resolve(*options.local_addr, options);
  if (options.remote_addr) remotes = co_await resolve(*options.remote_addr, options);
  // The first address of each family, in the order in which the families come up.
  const auto slot = [&](const AddrInfo& info) -> Candidate& {
    for (Candidate& known : candidates) {
      if (known.family == info.family) return known;
    }
    return candidates.emplace_back(Candidate{info.family, info.proto, {}, {}});
  };
  for (const AddrInfo& info : locals) {
    if (Candidate& into = slot(info); !into.local) into.local = info.address;
  }
  for (const AddrInfo& info : remotes) {
    if (Candidate& into = slot(info); !into.remote) into.remote = info.address;
  }
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return (options.local_addr && !candidate.local) || (options.remote_addr && !candidate.remote);
  });
  if (candidates.empty()) throw ValueError("can not get address information");
  co_return candidates;
}

Coro<Socket> open_candidate(Candidate candidate, DatagramOptions options) {
  Socket socket(candidate.family, SOCK_DGRAM, candidate.proto);
  if (options.reuse_port) socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, true);
  if (options.allow_broadcast) socket.setsockopt(SOL_SOCKET, SO_BROADCAST, true);
  if (candidate.local) {
    remove_stale_socket(candidate.local);
    socket.bind(candidate.local);
  }
  // A socket that may broadcast must not be tied to one peer: the answers come from others.
  if (candidate.remote && !options.allow_broadcast) {
    co_await sock_connect(socket, candidate.remote);
  }
  co_return std::move(socket);
}

Coro<DatagramPair> finish(DatagramFactory factory, Socket socket, SocketAddress remote) {
  EventLoop& loop = get_running_loop();
  std::shared_ptr<DatagramProtocol> protocol = factory();
  const Future<> waiter = loop.create_future<>();
  auto transport =
      DatagramSocketTransport::create(loop, std::move(socket), protocol, std::move(remote), waiter);
  try {
    co_await waiter;
  } catch (...) {
    transport->close();
    throw;
  }
  co_return DatagramPair(std::move(transport), std::move(protocol));
}

}  // namespace

Coro<DatagramPair> make_endpoint(DatagramFactory factory, DatagramOptions options) {
  const std::vector<Candidate> candidates = co_await candidates_for(options);
  std::exception_ptr first_error;
  for (const Candidate& candidate : candidates) {
    Outcome<Socket> outcome = co_await as_outcome(open_candidate(candidate, options));
    if (outcome) {
      co_return co_await finish(std::move(factory), std::move(outcome).value(), candidate.remote);
    }
    if (!is_oserror(outcome.error())) outcome.raise();
    if (!first_error) first_error = outcome.error();
  }
  std::rethrow_exception(first_error);
}

Coro<DatagramPair> make_endpoint(DatagramFactory factory, Socket sock) {
  if (sock.type() != SOCK_DGRAM) throw ValueError("a datagram socket was expected");
  sock.setblocking(false);
  co_return co_await finish(std::move(factory), std::move(sock), {});
}

}  // namespace brio::net::detail
