#include <brio/sync/channel.hpp>

#include "scene.hpp"

#include <memory>
#include <vector>

using brio::open_memory_channel;
using namespace scene;

namespace {

std::string numbers(const brio::MemoryChannelStatistics& at) {
  const auto text_of = [](std::size_t n) { return n == brio::unbounded ? "-" : std::to_string(n); };
  return text_of(at.current_buffer_used) + "/" + text_of(at.max_buffer_size) + " " +
         text_of(at.open_send_channels) + ":" + text_of(at.open_receive_channels) + " " +
         text_of(at.tasks_waiting_send) + ">" + text_of(at.tasks_waiting_receive);
}

}  // namespace

TEST_CASE("channel: buffered") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto [sender, receiver] = open_memory_channel<int>(2);
    co_await sender.send(1);
    sender.send_nowait(2);
    scene.log(thrown_by([&] { sender.send_nowait(3); }));
    scene.log(numbers(receiver.statistics()));
    scene.spawn("send", sender.send(3));
    co_await yield_now();
    scene.log(numbers(receiver.statistics()));
    scene.log(text(receiver.receive_nowait()));  // and takes the sender's item behind the others
    scene.log(numbers(receiver.statistics()));
    scene.log(text(co_await receiver.receive()));
    scene.log(text(co_await receiver.receive()));
    scene.log(thrown_by([&] { (void)receiver.receive_nowait(); }));
    co_await yield_now();
  });
  CHECK(story == "WouldBlock() 2/2 1:1 0>0 2/2 1:1 1>0 1 2/2 1:1 0>0 2 3 WouldBlock() send=None");
}

TEST_CASE("channel: without a buffer both sides meet") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto [sender, receiver] = open_memory_channel<int>(0);
    scene.log(thrown_by([&] { sender.send_nowait(1); }));
    scene.spawn("r1", receiver.receive());
    scene.spawn("r2", receiver.receive());
    co_await yield_now();
    sender.send_nowait(1);
    co_await sender.send(2);
    scene.log(thrown_by([&] { sender.send_nowait(3); }));
    scene.log(thrown_by([&] { (void)receiver.receive_nowait(); }));  // both items are promised
    scene.log(numbers(sender.statistics()));
    co_await yield_now();
    scene.spawn("s3", sender.send(3));
    scene.spawn("s4", sender.send(4));
    co_await yield_now();
    scene.log(text(co_await receiver.receive()));
    scene.log(text(co_await receiver.receive()));
    co_await yield_now();
  });
  CHECK(story ==
        "WouldBlock() WouldBlock() WouldBlock() 0/0 1:1 0>0 r1=1 r2=2 3 4 s3=None s4=None");
}

TEST_CASE("channel: unbounded") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto [sender, receiver] = open_memory_channel<std::unique_ptr<int>>(brio::unbounded);
    for (int i = 0; i < 100; ++i) sender.send_nowait(std::make_unique<int>(i));
    scene.log(numbers(sender.statistics()));
    int sum = 0;
    sender.close();
    while (auto item = co_await receiver.next()) sum += **item;
    scene.log(text(sum));
  });
  CHECK(story == "100/- 1:1 0>0 4950");
}

TEST_CASE("channel: the end of it") {
  SUBCASE("receivers empty the buffer, then EndOfChannel") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(5);
      {
        auto clone = sender.clone();
        sender.close();
        scene.log(text(sender.closed()) + text(clone.closed()));
        clone.send_nowait(1);
      }
      scene.log(text(co_await receiver.receive()));
      co_await Scene::tell(scene, "receive", receiver.receive());
      co_await Scene::tell(scene, "next", receiver.next());
      scene.log(thrown_by([&] { (void)receiver.receive_nowait(); }));
    });
    CHECK(story == "TrueFalse 1 receive!EndOfChannel() next=None EndOfChannel()");
  }
  SUBCASE("receivers that wait learn it") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(0);
      scene.spawn("a", receiver.receive());
      scene.spawn("b", receiver.receive());
      scene.spawn("c", receiver.next());
      co_await yield_now();
      sender.send_nowait(1);
      sender.close();
      sender.close();
      co_await yield_now();
    });
    CHECK(story == "a=1 b!EndOfChannel() c=None");
  }
  SUBCASE("no receiver left: BrokenResourceError, and the items are dropped") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto item = std::make_shared<int>(1);
      auto [sender, receiver] = open_memory_channel<std::shared_ptr<int>>(1);
      sender.send_nowait(item);
      scene.spawn("send", sender.send(item));
      co_await yield_now();
      receiver.close();
      co_await yield_now();
      scene.log(text(static_cast<int>(item.use_count())));
      co_await Scene::tell(scene, "send", sender.send(item));
      scene.log(thrown_by([&] { sender.send_nowait(item); }));
      scene.log(numbers(sender.statistics()));
    });
    CHECK(story ==
          "send!BrokenResourceError() 1 send!BrokenResourceError() BrokenResourceError() "
          "0/1 1:0 0>0");
  }
  SUBCASE("closed here: ClosedResourceError, also for those who use it") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(0);
      auto other = sender.clone();
      scene.spawn("s", sender.send(1));
      scene.spawn("o", other.send(2));
      co_await yield_now();
      sender.close();
      co_await yield_now();
      co_await Scene::tell(scene, "s", sender.send(1));
      scene.log(thrown_by([&] { sender.send_nowait(1); }));
      scene.log(thrown_by([&] { (void)sender.clone(); }));
      scene.log(text(co_await receiver.receive()));
      scene.spawn("r", receiver.receive());
      co_await yield_now();
      receiver.close();
      co_await yield_now();
      co_await Scene::tell(scene, "r", receiver.receive());
      const auto moved = std::move(other);
      scene.log(thrown_by([&] { (void)other.clone(); }));  // NOLINT(bugprone-use-after-move)
    });
    CHECK(story ==
          "s!ClosedResourceError() s!ClosedResourceError() ClosedResourceError() "
          "ClosedResourceError() 2 o=None r!ClosedResourceError() r!ClosedResourceError() "
          "ClosedResourceError(moved from)");
  }
}

TEST_CASE("channel: nobody overtakes a receiver that was promised an item") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto [sender, receiver] = open_memory_channel<int>(5);
    scene.spawn("a", receiver.receive());
    co_await yield_now();
    sender.send_nowait(1);
    scene.log(thrown_by([&] { (void)receiver.receive_nowait(); }));
    scene.spawn("b", receiver.receive());
    co_await turns(2);
    scene.log("-");
    sender.send_nowait(2);
    co_await turns(1);
  });
  CHECK(story == "WouldBlock() a=1 - b=2");
}

TEST_CASE("channel: cancelled receivers lose nothing") {
  SUBCASE("the item goes to the next who waits") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(0);
      const auto a = scene.spawn("a", receiver.receive());
      scene.spawn("b", receiver.receive());
      co_await yield_now();
      sender.send_nowait(1);
      a.cancel("m");
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError(m) b=1");
  }
  SUBCASE("or stays, in order") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(1);
      const auto a = scene.spawn("a", receiver.receive());
      const auto b = scene.spawn("b", receiver.receive());
      co_await yield_now();
      for (int i = 1; i <= 3; ++i) sender.send_nowait(i);
      a.cancel();
      b.cancel();
      co_await turns(2);
      scene.log(numbers(sender.statistics()));
      for (int i = 1; i <= 3; ++i) scene.log(text(receiver.receive_nowait()));
    });
    CHECK(story == "a!CancelledError() b!CancelledError() 3/1 1:1 0>0 1 2 3");
  }
  SUBCASE("also when the channel has ended meanwhile") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(1);
      const auto a = scene.spawn("a", receiver.receive());
      scene.spawn("b", receiver.receive());
      co_await yield_now();
      sender.send_nowait(1);
      a.cancel();
      sender.close();
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError() b=1");
  }
  SUBCASE("when nobody is left to receive, it is dropped") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto item = std::make_shared<int>(1);
      auto [sender, receiver] = open_memory_channel<std::shared_ptr<int>>(1);
      const auto a = create_task(
          [](brio::MemoryReceiveChannel<std::shared_ptr<int>>& r) -> Coro<void> {
            (void)co_await r.receive();
          },
          std::ref(receiver));
      co_await yield_now();
      sender.send_nowait(item);
      sender.send_nowait(item);
      receiver.close();
      scene.log(text(static_cast<int>(item.use_count())));  // the promised one is still there
      a.cancel();
      co_await turns(2);
      scene.log(text(static_cast<int>(item.use_count())));
    });
    CHECK(story == "2 1");
  }
}

TEST_CASE("channel: cancelled senders") {
  SUBCASE("waiting: not sent") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(0);
      const auto a = scene.spawn("a", sender.send(1));
      scene.spawn("b", sender.send(2));
      co_await yield_now();
      a.cancel();
      scene.log(text(receiver.receive_nowait()));
      co_await turns(2);
    });
    CHECK(story == "2 a!CancelledError() b=None");
  }
  SUBCASE("taken in the same step: sent, and cancelled") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      auto [sender, receiver] = open_memory_channel<int>(0);
      const auto a = scene.spawn("a", sender.send(1));
      co_await yield_now();
      scene.log(text(receiver.receive_nowait()));
      a.cancel();
      co_await turns(2);
    });
    CHECK(story == "1 a!CancelledError()");
  }
}

TEST_CASE("channel: handles may be moved, closed and destroyed under those who use them") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto channel = open_memory_channel<int>(0);
    auto sender = std::make_unique<brio::MemorySendChannel<int>>(std::move(channel.send_channel));
    auto receiver =
        std::make_unique<brio::MemoryReceiveChannel<int>>(std::move(channel.receive_channel));
    scene.spawn("s", sender->send(1));
    co_await yield_now();
    auto moved = std::make_unique<brio::MemorySendChannel<int>>(std::move(*sender));
    sender.reset();
    scene.log(text(receiver->receive_nowait()));
    co_await yield_now();
    scene.spawn("r", receiver->receive());
    co_await yield_now();
    receiver.reset();
    moved.reset();
    co_await turns(2);
  });
  CHECK(story == "1 s=None r!ClosedResourceError()");
}
