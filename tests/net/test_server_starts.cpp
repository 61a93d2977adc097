// Servers that cannot start as they were told to.
#include "support.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace brio;

TEST_CASE("servers: one that cannot listen on all of its addresses listens on none") {
  run([]() -> Coro<> {
    // SO_REUSEADDR lets both bind; only one may listen.
    net::Socket taken(AF_INET);
    taken.setsockopt(SOL_SOCKET, SO_REUSEADDR, true);
    taken.bind(net::SocketAddress::ip("127.0.0.2", 0));
    const int port = taken.getsockname().port();
    auto server = co_await create_server([] { return std::make_shared<Protocol>(); },
                                         std::vector<std::string>{"127.0.0.1", "127.0.0.2"}, port,
                                         {.start_serving = false});
    taken.listen(1);
    const auto failed = co_await as_outcome(server->start_serving());
    CHECK(failed.error_as<OSError>()->error_number() == EADDRINUSE);
    CHECK_FALSE(server->is_serving());
    taken.close();
    co_await server->start_serving();
    CHECK(server->is_serving());
    server->close();
    const auto closed = co_await as_outcome(server->start_serving());
    CHECK(closed.error_as<RuntimeError>());
    CHECK_FALSE(server->is_serving());
    co_await server->wait_closed();
  });
}

TEST_CASE("servers: no descriptor for the second address is told, and no half of a server stays" *
          doctest::skip(BRIO_SANITIZER_NEEDS_DESCRIPTORS)) {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  run([&]() -> Coro<> {
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(next) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    const std::vector<std::string> hosts{"127.0.0.1", "127.0.0.2"};
    const auto failed =
        co_await as_outcome(create_server([] { return std::make_shared<Protocol>(); }, hosts, 0));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(failed.error_as<OSError>()->error_number() == EMFILE);
  });
}
