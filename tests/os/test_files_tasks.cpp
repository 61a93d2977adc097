// Files among tasks: turns, cancellation, what is left open, the end of the loop.
#include "files_support.hpp"

#include <brio/core/cancel_scope.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/scoped.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/testing/injection.hpp>

#include <algorithm>
#include <csignal>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <thread>

using namespace brio::tests;
using brio::Coro;
using brio::File;
using brio::os::Descriptor;

namespace {

void put(const Descriptor& pipe, std::string_view data) {
  REQUIRE(::write(pipe.fileno(), data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

// Waits until a thread has taken all that was put, and so has begun.
Coro<> until_taken(int pipe) {
  co_await until([pipe] {
    int count = 0;
    return ::ioctl(pipe, FIONREAD, &count) == 0 && count == 0;
  });
}

// RLIMIT_FSIZE: the disk is full for files of that size.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t size) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    set(size);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  void set(rlim_t size) const {
    const rlimit limit{size, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }

private:
  rlimit before_{};
  sighandler_t handler_ = SIG_DFL;
};

}  // namespace

TEST_CASE("files: what is in the buffer is given without leaving the loop's iteration") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    put_on_disk(folder / "file", "one\ntwo\nthree\n");
    const File file = co_await brio::open(folder / "file", "r");
    co_await file.readline();
    bool turned = false;
    brio::get_running_loop().call_soon([&] { turned = true; });
    same(co_await file.readline(), "two\n");
    same(co_await file.read(2), "th");
    same(co_await file.seek(0), 0);
    same(co_await file.readline(), "one\n");
    same(co_await file.tell(), 4);
    CHECK(!turned);
    co_await file.close();
  });
}

TEST_CASE("files: tasks take turns, first come, first served") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    auto [r, w] = Descriptor::pipe();
    const int fd = r.fileno();
    const File file = co_await brio::open(std::move(r));
    CHECK(!file.seekable());
    CHECK(file.name() == std::to_string(fd));
    std::string order;
    const auto reader = [&](int number) -> Coro<> {
      const std::string line = co_await file.readline();
      order += std::to_string(number) + " " + line;
    };
    auto first = brio::create_task(reader(1));
    auto second = brio::create_task(reader(2));
    auto third = brio::create_task(reader(3));
    put(w, "a");
    co_await until_taken(fd);
    second.cancel();
    const auto outcome = co_await brio::as_outcome(second);
    CHECK(outcome.cancelled());  // it had not begun
    auto closing = brio::create_task(file.close());
    auto late = brio::create_task(error_of(file.read()));
    put(w, "bc\nnext\nrest");
    co_await brio::gather(first, third, closing);
    same(co_await late, "ValueError: I/O operation on closed file.");
    CHECK(order == "1 abc\n3 next\n");

    // Written by many tasks: no piece is torn.
    const std::string path = folder / "file";
    const File out = co_await brio::open(path, "w", {.buffer_size = 10});
    std::string expected;
    co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
      for (int i = 0; i < 50; ++i) {
        const std::string piece(static_cast<std::size_t>(i % 17), static_cast<char>('a' + i % 26));
        expected += piece + "\n";
        group.create_task(out.writelines({piece, "\n"}));
      }
      co_return;
    });
    co_await out.close();
    CHECK(on_disk(path) == expected);
  });
}

TEST_CASE("files: a cancelled read ends when its thread does, and its bytes stay") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    for (const bool scoped : {false, true}) {
      INFO(scoped);
      auto [r, w] = Descriptor::pipe();
      const int fd = r.fileno();
      const File file = co_await brio::open(std::move(r));
      brio::CancelScope* scope = nullptr;
      bool ended = false;
      auto task = brio::create_task([&]() -> Coro<> {
        co_await brio::cancel_scope([&](brio::CancelScope& own) -> Coro<> {
          scope = &own;
          (void)co_await brio::as_outcome(file.read(6));
          ended = true;
          co_await brio::sleep(std::chrono::seconds(0));
        });
      });
      put(w, "abc");
      co_await until([&] { return scope != nullptr; });
      co_await until_taken(fd);
      if (scoped)
        scope->cancel();
      else
        task.cancel();
      co_await ticks(10);
      if (!scoped) task.cancel();  // again: no difference
      co_await ticks(10);
      CHECK(!ended);
      put(w, "def");
      (void)co_await brio::as_outcome(task);
      CHECK(ended);
      put(w, "ghi");
      w.close();
      same(co_await file.read(4), "abcd");
      same(co_await file.read(), "efghi");
      co_await file.close();
    }
  });
}

TEST_CASE("files: what a thread has not begun is not done when it is cancelled") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const File file = co_await brio::open(path, "w", {.buffer_size = 4});
    BusyExecutor busy;
    auto writing = brio::create_task(file.write("too much for it"));
    auto opening = brio::create_task(brio::open(folder / "other", "w"));
    co_await ticks(3);
    writing.cancel();
    opening.cancel();
    const auto written = co_await brio::as_outcome(writing);
    const auto opened = co_await brio::as_outcome(brio::AnyFuture(opening));
    CHECK(written.cancelled());
    CHECK(opened.cancelled());
    // Closing is another matter.
    auto closing = brio::create_task(file.close());
    co_await ticks(3);
    closing.cancel();
    co_await ticks(3);
    CHECK(!closing.done());
    co_await busy.let_go();
    const auto closed = co_await brio::as_outcome(closing);
    CHECK(closed.cancelled());
    CHECK(file.closed());
  });
  CHECK(on_disk(folder / "file") == "");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("files: an operation's error is not lost in its cancellation") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    auto [r, w] = Descriptor::pipe();
    const int fd = r.fileno();
    const File file = co_await brio::open(std::move(w), "w", {.buffer_size = 1});
    auto writing = brio::create_task(error_of(file.write(std::string(1 << 20, 'x'))));
    co_await until([fd] {
      int count = 0;
      return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0;
    });
    writing.cancel();
    co_await ticks(5);
    CHECK(!writing.done());
    r.close();  // and no SIGPIPE
    same(co_await writing, "BrokenPipeError: write '" + file.name() + "' failed: Broken pipe");
    co_await file.close();
  });
}

TEST_CASE("files: cancelled at any point, no byte is lost and no file stays open") {
  using brio::testing::Victim;
  const Folder folder;
  const std::string path = folder / "file";
  const std::string text = numbered(60);
  const Logs logs;
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    std::string seen;
    bool complete = false;
    brio::testing::for_each_cancellation(
        [&]() -> Coro<> {
          seen.clear();
          complete = false;
          put_on_disk(path, text);
          const File file = co_await brio::open(path, "r", {.buffer_size = 16});
          const auto read = [&]() -> Coro<> {
            for (int i = 0; i < 6; ++i) seen += co_await file.readline();
            seen += co_await file.read(24);
          };
          const auto read_on = [&]() -> Coro<> {
            seen += co_await file.read(3);
            seen += co_await file.read();
            complete = true;
          };
          co_await brio::try_finally(
              [&]() -> Coro<> {
                co_await brio::try_finally(read,
                                           [&]() -> Coro<> { co_await brio::shielded(read_on); });
              },
              [&]() -> Coro<> { co_await file.close(); });
        },
        [&](const auto& run) {
          INFO(run.describe());
          if (!run.started()) return;
          CHECK(text.starts_with(seen));
          CHECK((complete ? seen == text : run.hit()));
        },
        {.victim = victim});

    std::string expected;
    brio::testing::for_each_cancellation(
        [&]() -> Coro<> {
          expected.clear();
          put_on_disk(path, "");
          const File file = co_await brio::open(path, "w", {.buffer_size = 16});
          co_await brio::try_finally(
              [&]() -> Coro<> {
                for (const std::size_t size : {5U, 7U, 9U, 40U, 3U}) {
                  expected += std::string(size, static_cast<char>('a' + size % 26));
                  co_await file.write(expected.substr(expected.size() - size));
                }
                co_await file.flush();
              },
              [&]() -> Coro<> { co_await file.close(); });
        },
        [&](const auto& run) {
          INFO(run.describe());
          if (!run.started()) return;
          const std::string got = on_disk(path);
          // All writes that ended, and of the one that was cancelled all or nothing.
          CHECK(expected.starts_with(got));
          const std::size_t lost = expected.size() - got.size();
          CHECK((lost == 0 || (lost == static_cast<std::size_t>(std::count(
                                           expected.begin(), expected.end(), expected.back())) &&
                               !run.outcome.has_value())));
        },
        {.victim = victim});
  }
  CHECK(!logs.contain("unclosed"));
}

TEST_CASE("files: one that is dropped open is written and closed, and told of in debug mode") {
  const NothingLeft nothing_left;
  const Folder folder;
  const Logs logs;
  brio::run([&]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    {
      const File file = co_await brio::open(folder / "file", "w");
      co_await file.write("kept");
    }
    {
      const File full = co_await brio::open("/dev/full", "w");
      co_await full.write("lost");
    }
    // The handle goes while a task is at work: the operation goes on.
    brio::Task<std::string> reading;
    {
      const File file = co_await brio::open("/proc/self/stat");
      reading = brio::create_task(file.read());
    }
    const std::string got = co_await reading;
    CHECK(!got.empty());
  });
  CHECK(on_disk(folder / "file") == "kept");
  CHECK(logs.contain("unclosed file '" + folder / "file" + "'"));
  CHECK(logs.contain("unclosed file '/proc/self/stat'"));
  CHECK(
      logs.contain("a file that was not closed could not be written: "
                   "write '/dev/full' failed: No space left on device"));
}

TEST_CASE("files: the loop is closed while a thread reads") {
  const Logs logs;
  const std::size_t before = open_descriptors();
  const Folder folder;
  auto [r, w] = Descriptor::pipe();
  {
    const brio::LoopPtr loop = brio::new_event_loop();
    const int fd = r.fileno();
    put(w, "abc");
    auto task = loop->create_task([](Descriptor end) -> Coro<> {
      const File file = co_await brio::open(std::move(end));
      char bytes[6];
      co_await file.readinto(bytes);
    }(std::move(r)));
    loop->run_until_complete(brio::Coro<>(until_taken(fd)));
  }
  put(w, "def");
  w.close();
  while (open_descriptors() != before) std::this_thread::yield();
}

TEST_CASE("files: after the default executor's end, closing still writes") {
  const Logs logs;
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const File file = co_await brio::open(folder / "file", "w");
    const File dropped = co_await brio::open(folder / "dropped", "w");
    co_await file.write("kept");
    co_await dropped.write("kept too");
    co_await brio::get_running_loop().shutdown_default_executor();
    same(co_await error_of(file.flush()), "RuntimeError: Executor shutdown has been called");
    co_await file.close();
  });
  CHECK(on_disk(folder / "file") == "kept");
  CHECK(on_disk(folder / "dropped") == "kept too");
}

TEST_CASE("files: a block of its own") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const int answer =
        co_await brio::with(brio::open_scoped(path, "w"), [](File& file) -> Coro<int> {
          co_await file.write("in the block");
          co_return 42;
        });
    CHECK(answer == 42);
    CHECK(on_disk(path) == "in the block");
    std::shared_ptr<const File> kept;
    same(co_await error_of(brio::with(brio::open_scoped(path),
                                      [&](File& file) -> Coro<> {
                                        kept = std::make_shared<const File>(std::move(file));
                                        throw Boom("in the block");
                                        co_return;
                                      })),
         "tests::Boom: in the block");
    CHECK(kept->closed());
    same(co_await error_of(brio::with(brio::open_scoped("/dev/full", "w"),
                                      [](File& file) -> Coro<> { co_await file.write("never"); })),
         "OSError: write '/dev/full' failed: No space left on device");
  });
}

TEST_CASE("files: FIFOs are opened when both ends are, cancelled or not") {
  const NothingLeft nothing_left;
  const Folder folder;
  const std::string path = folder / "fifo";
  REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
  brio::run([&]() -> Coro<> {
    auto [reader, writer] = co_await brio::gather(brio::open(path, "r"), brio::open(path, "w"));
    co_await writer.write("through\n");
    co_await writer.flush();
    same(co_await reader.readline(), "through\n");
    CHECK(!reader.seekable());
    same(co_await error_of(reader.tell()), "OSError: tell '" + path + "' failed: Illegal seek");
    same(co_await error_of(reader.seek(0)), "OSError: seek '" + path + "' failed: Illegal seek");
    same(co_await error_of(brio::open(path, "r+")),
         "UnsupportedOperation: File or stream is not seekable.");
    co_await writer.close();
    same(co_await reader.read(), "");
    co_await reader.close();

    const std::size_t before = open_descriptors();
    auto opening = brio::create_task(brio::open(path, "r"));
    // Non-blocking, this end can be opened when the other is being opened.
    Descriptor other;
    co_await until([&] {
      other = Descriptor::adopt(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
      if (!other) return false;
      opening.cancel();
      return true;
    });
    const auto outcome = co_await brio::as_outcome(brio::AnyFuture(opening));
    CHECK(outcome.cancelled());
    other.close();
    opening = {};
    CHECK(open_descriptors() == before);
  });
}

TEST_CASE("files: what is written in part is written on from there") {
  const NothingLeft nothing_left;
  const Folder folder;
  const FileSizeLimit limit(10);
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const std::string large = "OSError: write '" + path + "' failed: File too large";
    const File file = co_await brio::open(path, "w", {.buffer_size = 16});
    co_await file.write("0123456789abcdef");
    same(co_await error_of(file.flush()), large);
    CHECK(on_disk(path) == "0123456789");
    same(co_await file.tell(), 16);
    same(co_await error_of(file.write("ghijklmnopq")), large);  // nothing of it is taken
    same(co_await file.tell(), 16);
    limit.set(1000);
    co_await file.close();
    CHECK(on_disk(path) == "0123456789abcdef");
    limit.set(10);
    same(co_await error_of(brio::write_file(path, "something longer", {.atomic = true})), large);
    CHECK(on_disk(path) == "0123456789abcdef");
    CHECK(folder.names() == std::vector<std::string>{"file"});
  });
}

TEST_CASE("files: write_file at once, or not at all") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const auto mode_of = [](const std::string& name) {
      struct stat status{};
      REQUIRE(::lstat(name.c_str(), &status) == 0);
      return status.st_mode;
    };
    same(co_await brio::write_file(path, "first"), 5U);
    same(co_await brio::write_file(path, "2"), 1U);
    CHECK(on_disk(path) == "2");
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    const Descriptor old = Descriptor::open(path, O_RDONLY);
    const std::string large = numbered(300'000);
    same(co_await brio::write_file(path, large, {.atomic = true}), large.size());
    CHECK((on_disk(path) == large));
    CHECK(mode_of(path) == (S_IFREG | 0640));
    char bytes[8];
    CHECK(::read(old.fileno(), bytes, sizeof bytes) == 1);  // who has the old one keeps it
    const mode_t before = ::umask(027);
    co_await brio::write_file(folder / "fresh", "x", {.atomic = true});
    co_await brio::write_file(folder / "narrow", "x", {.permissions = 0606});
    ::umask(before);
    CHECK(mode_of(folder / "fresh") == (S_IFREG | 0640));
    CHECK(mode_of(folder / "narrow") == (S_IFREG | 0600));
    REQUIRE(::symlink("file", (folder / "link").c_str()) == 0);
    co_await brio::write_file(folder / "link", "own", {.atomic = true});
    CHECK(S_ISREG(mode_of(folder / "link")));
    CHECK((on_disk(path) == large));

    const std::string& dir = folder.path();
    same(co_await error_of(brio::write_file(dir, "x", {.atomic = true})),
         "IsADirectoryError: replace '" + dir + "' failed: Is a directory");
    same(co_await error_of(brio::write_file("/dev/null", "x", {.atomic = true})),
         "OSError: replace '/dev/null' failed: Invalid argument");
    same(co_await error_of(brio::write_file(dir + "/no/file", "x", {.atomic = true})),
         "FileNotFoundError: create a file beside '" + dir +
             "/no/file' failed: No such file or "
             "directory");
    CHECK(folder.names().size() == 4);
  });
}
