#include "serve/command.hpp"

#include "serve/access_log.hpp"

#include <brio/http/server.hpp>
#include <brio/http/static_files.hpp>
#include <brio/net/addrinfo.hpp>
#include <brio/net/socket.hpp>
#include <brio/os/worker_processes.hpp>
#include <brio/os/workers.hpp>
#include <brio/tls/context.hpp>

#include <chrono>
#include <cstdio>
#include <netdb.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace brio::cli {
namespace {

// Bound before there are workers, so that all of them share one queue of connections.
std::vector<net::Socket> listening_sockets(const ServeOptions& options) {
  constexpr int backlog = 1024;
  std::vector<net::Socket> sockets;
  const auto add = [&](const net::SocketAddress& address) {
    sockets.push_back(net::bound_socket(address));
    sockets.back().listen(backlog);
  };
  if (!options.unix_path.empty()) {
    add(net::SocketAddress::unix_address(options.unix_path));
    return sockets;
  }
  int port = options.port;
  std::optional<std::string> host;
  if (!options.host.empty()) host = options.host;
  for (const auto& found : net::blocking_getaddrinfo(host, std::to_string(port),
                                                     {.type = SOCK_STREAM, .flags = AI_PASSIVE})) {
    net::SocketAddress address = found.address;
    // A free port is to be the same one on every address.
    if (!sockets.empty() && port == 0) {
      port = sockets.front().getsockname().port();
    }
    if (port != options.port) {
      address = net::SocketAddress::ip(address.host(), static_cast<std::uint16_t>(port));
    }
    add(address);
  }
  return sockets;
}

std::string url_of(const net::Socket& socket, bool tls) {
  const net::SocketAddress address = socket.getsockname();
  if (address.family() == AF_UNIX) return address.to_string();
  const std::string host =
      address.family() == AF_INET6 ? "[" + address.host() + "]" : address.host();
  return (tls ? "https://" : "http://") + host + ":" + std::to_string(address.port()) + "/";
}

void write_line(const std::string& line) {
  // One write a line: lines of several workers do not mix.
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

class Site {
public:
  explicit Site(const ServeOptions& options)
      : options_(options),
        files_(options.directory,
               {.show_index = options.listing,
                .dotfiles = options.hidden,
                .fallback = options.spa ? std::optional<std::string>("index.html") : std::nullopt,
                .cache_control = options.cache_control}),
        sockets_(listening_sockets(options)) {
    (void)context();  // its errors are told before anything serves
  }

  void announce() const {
    for (const net::Socket& socket : sockets_) {
      std::fprintf(stderr, "brio: serving %s at %s\n", options_.directory.c_str(),
                   url_of(socket, !options_.tls_cert.empty()).c_str());
    }
  }

  Coro<> work(Worker& worker) {
    http::ServerOptions settings;
    if (!options_.quiet) {
      settings.access_log = [](const http::AccessRecord& record) {
        write_line(access_line(
            record, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())));
      };
    }
    http::Server server(files_.handler(), std::move(settings));
    const std::shared_ptr<tls::SSLContext> ssl = context();
    for (const net::Socket& socket : sockets_) {
      co_await server.listen_socket(socket.dup(), {.backlog = 1024, .ssl = ssl});
    }
    worker.ready();
    co_await worker.stopped();
    co_await server.shutdown(options_.drain);
  }

  // A path that was ours is free again; an abstract name goes by itself.
  void clean_up() const {
    if (!options_.unix_path.empty()) ::unlink(options_.unix_path.c_str());
  }

private:
  // Read anew by each worker: SIGHUP replaces the workers, and so the certificate.
  [[nodiscard]] std::shared_ptr<tls::SSLContext> context() const {
    if (options_.tls_cert.empty()) return nullptr;
    auto made = tls::SSLContext::create(tls::Role::server);
    made->load_cert_chain(options_.tls_cert, options_.tls_key);
    return made;
  }

  const ServeOptions& options_;
  http::StaticFiles files_;
  std::vector<net::Socket> sockets_;
};

}  // namespace

int run_serve(const ServeOptions& options) {
  Site site(options);
  site.announce();
  const auto work = [&site](Worker& worker) { return site.work(worker); };
  const Duration patience = options.drain + std::chrono::seconds(5);
  if (options.workers == 1) {
    run_workers(1, work, {.graceful_timeout = patience});
  } else {
    run_worker_processes(options.workers, work, {.graceful_timeout = patience});
  }
  site.clean_up();
  return 0;
}

}  // namespace brio::cli
