// Files in the page cache: read in the loop's thread, when nothing has to be waited for.
#include "files_support.hpp"

#include <sys/uio.h>

using namespace brio::tests;
using brio::Coro;
using brio::File;

TEST_CASE("files: what the page cache has is read without a thread, and others have their turn") {
  const NothingLeft nothing_left;
  const Folder folder;
  const std::string path = folder / "file";
  const std::string text = numbered(300'000);
  put_on_disk(path, text);
  {
    char one = 0;
    const iovec part{&one, 1};
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t count = ::preadv2(fd, &part, 1, 0, RWF_NOWAIT);
    ::close(fd);
    if (count != 1) {
      MESSAGE("skipped: the file system cannot tell what is in the page cache");
      return;
    }
  }
  brio::run([&]() -> Coro<> {
    const File file = co_await brio::open(path, "r+");
    BusyExecutor busy;
    bool turned = false;
    brio::get_running_loop().call_soon([&] { turned = true; });
    same(co_await file.read(5), text.substr(0, 5));
    CHECK(turned);
    same(co_await file.readline(), text.substr(5, text.find('\n', 5) - 4));
    same(co_await file.seek(200'000), 200'000);
    same(co_await file.readline(3), text.substr(200'000, 3));
    same(co_await file.next(), text.substr(200'003, text.find('\n', 200'003) - 200'002));
    std::string into(65'536, '\0');
    same(co_await file.seek(1), 1);
    same(co_await file.readinto(into), into.size());
    CHECK(into == text.substr(1, into.size()));

    // Cancelled, it has not begun.
    same(co_await file.seek(250'000), 250'000);
    auto reading = brio::create_task(file.read(10));
    co_await ticks(1);
    reading.cancel();
    const auto outcome = co_await brio::as_outcome(reading);
    CHECK(outcome.cancelled());
    same(co_await file.tell(), 250'000);

    // Up to the end, and no further.
    same(co_await file.read(60'000), text.substr(250'000));
    same(co_await file.read(10), "");
    same(co_await file.readline(), "");
    same(co_await file.seek(static_cast<std::int64_t>(text.size()) - 3),
         static_cast<std::int64_t>(text.size()) - 3);
    same(co_await file.read(3), text.substr(text.size() - 3));

    // More than that, and what is to be written first, is for a thread.
    co_await file.seek(0);
    auto large = brio::create_task(file.read(100'000));
    co_await ticks(5);
    CHECK(!large.done());
    co_await busy.let_go();
    same(co_await large, text.substr(0, 100'000));
    co_await file.close();
  });
}

TEST_CASE("files: what the page cache has in part, or not at all, is the same") {
  const NothingLeft nothing_left;
  const Folder folder;
  const std::string path = folder / "file";
  const std::string text = numbered(200'000);
  put_on_disk(path, text);
  const auto drop = [&](off_t from) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ::fsync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    ::posix_fadvise(fd, from, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  };
  brio::run([&]() -> Coro<> {
    for (const off_t from : {0, 8192}) {
      INFO(from);
      drop(from);
      const File file = co_await brio::open(path, "r", {.buffer_size = 5000});
      std::string got;
      for (std::size_t size = 1;; size = size * 2 % 65'521) {
        const std::string piece = co_await file.read(size);
        got += piece;
        if (piece.size() < size) break;
        got += co_await file.readline();
      }
      CHECK(got == text);
      co_await file.close();
    }
  });
}
