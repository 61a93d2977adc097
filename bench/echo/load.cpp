// The load: CONNECTIONS clients in one thread, each of which sends SIZE bytes, waits for as many
// and sends again. `load PORT CONNECTIONS SIZE SECONDS PID` prints, as JSON, the requests of
// SECONDS after a fifth of that for warming up, and the CPU time that process PID spent on them.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Nanoseconds that a process of one thread has run.
long long run_time(const char* pid) {
  const std::string path = std::string("/proc/") + pid + "/schedstat";
  std::FILE* const file = std::fopen(path.c_str(), "re");
  long long time = 0;
  if (file == nullptr || std::fscanf(file, "%lld", &time) != 1) fail(path.c_str());
  std::fclose(file);
  return time;
}

int connected(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<unsigned short>(port));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("connect");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: load PORT CONNECTIONS SIZE SECONDS PID\n", stderr);
    return 2;
  }
  const int connections = std::atoi(argv[2]);
  const auto size = static_cast<std::size_t>(std::atol(argv[3]));
  const auto seconds = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(std::atof(argv[4])));
  const std::string message(size, 'x');
  std::vector<char> buffer(std::max<std::size_t>(size, 65536));
  std::vector<std::size_t> missing;

  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < connections; ++i) {
    const int fd = connected(std::atoi(argv[1]));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    missing.resize(std::max(missing.size(), static_cast<std::size_t>(fd) + 1));
    missing[static_cast<std::size_t>(fd)] = size;
    if (::send(fd, message.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) fail("send");
  }

  long long requests = 0;
  long long spent = 0;
  bool measuring = false;
  Clock::time_point deadline = Clock::now() + seconds / 5;
  std::array<epoll_event, 256> events{};
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) fail("recv");
      std::size_t& left = missing[static_cast<std::size_t>(fd)];
      left -= static_cast<std::size_t>(got);
      if (left > 0) continue;
      ++requests;
      left = size;
      if (::send(fd, message.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
        fail("send");
    }
    if (Clock::now() < deadline) continue;
    if (measuring) break;
    measuring = true;
    requests = 0;
    spent = run_time(argv[5]);
    deadline = Clock::now() + seconds;
  }
  spent = run_time(argv[5]) - spent;
  std::printf("{\"requests\": %lld, \"cpu_ns\": %lld}\n", requests, spent);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
