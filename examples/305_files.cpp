// Files: a thread does what blocks, and the loop goes on.
#include <brio/brio.hpp>
#include <brio/os/files.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

// Python's modes, without the "b" that all of them mean here: a file is bytes.
brio::Coro<> write_a_log(std::string path) {
  const auto file = co_await brio::open(path, "w");
  co_await file.write("first line\n");  // into the buffer
  co_await file.write("second line\n");
  co_await file.flush();  // into the file; fsync() is onto the disk
  co_await file.write("third line\n");
  co_await file.close();  // writes the rest, and says so if it cannot
}

// `async with` and `async for`: the block closes the file, and most lines come from the buffer.
brio::Coro<int> count_lines(std::string path) {
  co_return co_await brio::with(brio::open_scoped(path), [](brio::File& file) -> brio::Coro<int> {
    int count = 0;
    while (auto line = co_await file.next()) ++count;
    co_return count;
  });
}

// Both directions in one file.
brio::Coro<> correct(std::string path) {
  const auto file = co_await brio::open(path, "r+");
  co_await file.seek(6);
  co_await file.write("LINE");
  const std::string rest_of_line = co_await file.readline();
  const auto position = co_await file.tell();
  std::printf("%zu byte left of the line, now at %ld\n", rest_of_line.size(),
              static_cast<long>(position));
  co_await file.close();
}

brio::Coro<> amain(std::string path) {
  co_await write_a_log(path);
  const int lines = co_await count_lines(path);
  std::printf("%d lines\n", lines);
  co_await correct(path);

  // Whole files in one go. `atomic`: who reads it finds the old content or the new.
  const std::string text = co_await brio::read_file(path);
  std::printf("%s", text.c_str());
  co_await brio::write_file(path, "short\n", {.atomic = true});
  const std::string now = co_await brio::read_file(path);
  std::printf("%s", now.c_str());

  try {
    co_await brio::open("/no/such/file");
  } catch (const brio::FileNotFoundError& error) {
    std::printf("%s\n", error.what());
  }
}

int main() {
  char path[] = "/tmp/brio-example-XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0) return 1;
  ::close(fd);
  brio::run(amain(path));
  ::unlink(path);
}
