// Peers that break off, and peers that don't read.
#include "reset_relay.hpp"
#include "support.hpp"

using namespace brio;
using brio::tests::reset_everywhere;
using brio::tests::ticks;
using brio::tests::until;

TEST_CASE("adverse: a peer that resets at each byte of an exchange") {
  run(reset_everywhere({}, {}, 1));
}

TEST_CASE("adverse: a peer that doesn't read costs no more than the high-water mark") {
  run([]() -> Coro<> {
    auto [peer, ours] = net::Socket::pair();
    auto [reader, writer] = co_await open_connection(std::move(ours));
    const std::size_t high = writer.transport()->get_write_buffer_limits().high;
    const std::string piece(10'000, 'x');
    std::size_t most = 0;
    auto writing =
        create_task([](StreamWriter to, std::string_view text, std::size_t& peak) -> Coro<> {
          while (true) {
            to.write(text);
            peak = std::max(peak, to.transport()->get_write_buffer_size());
            co_await to.drain();
          }
        }(writer, piece, most));
    co_await until([&] { return most > high; });
    co_await ticks(50);
    CHECK(!writing.done());
    CHECK(most <= high + piece.size());
    writing.cancel();
    (void)co_await as_outcome(writing);
    writer.transport()->abort();
  }());
}

TEST_CASE("adverse: a flood that nobody reads is stopped at the reader's limit") {
  run([]() -> Coro<> {
    auto [peer, ours] = net::Socket::pair();
    auto [reader, writer] = co_await open_connection(std::move(ours), {.limit = 10'000});
    const std::string piece(8'192, 'y');
    std::size_t sent = 0;
    int in_vain = 0;
    while (in_vain < 20) {
      try {
        sent += peer.send(piece);
        in_vain = 0;
      } catch (const BlockingIOError&) {
        ++in_vain;
      }
      co_await ticks(2);
    }
    // The kernel's buffers, and twice the limit with one reading on top: not what the peer has.
    CHECK(sent < 2'000'000);
    // It comes all the same, once somebody reads.
    peer.shutdown(SHUT_WR);
    const std::string all = co_await reader.read();
    CHECK(all.size() == sent);
    writer.close();
    co_await writer.wait_closed();
  }());
}
