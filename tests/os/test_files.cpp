// brio::open: modes, errors, buffers. Values were taken from CPython 3.13's io module with the same
// calls and the same buffering=…; what differs says so.
#include "files_support.hpp"

using namespace brio::tests;
using brio::Coro;
using brio::File;

TEST_CASE("files: the modes that there are, and what each allows") {
  const NothingLeft nothing_left;
  const Folder folder;
  struct Case {
    const char* mode;
    const char* shown;  // Python's file.mode
    bool readable;
    bool writable;
    std::int64_t at;      // where it begins, in a file of three bytes
    const char* content;  // of the file, when it is open
  };
  const Case cases[] = {
      {"r", "rb", true, false, 0, "abc"},   {"rb", "rb", true, false, 0, "abc"},
      {"r+", "rb+", true, true, 0, "abc"},  {"rb+", "rb+", true, true, 0, "abc"},
      {"r+b", "rb+", true, true, 0, "abc"}, {"+br", "rb+", true, true, 0, "abc"},
      {"w", "wb", false, true, 0, ""},      {"wb", "wb", false, true, 0, ""},
      {"wb+", "rb+", true, true, 0, ""},    {"a", "ab", false, true, 3, "abc"},
      {"ab", "ab", false, true, 3, "abc"},  {"ab+", "ab+", true, true, 3, "abc"},
  };
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    for (const Case& one : cases) {
      INFO(one.mode);
      put_on_disk(path, "abc");
      const File file = co_await brio::open(path, one.mode);
      CHECK(file.mode() == one.shown);
      CHECK(file.readable() == one.readable);
      CHECK(file.writable() == one.writable);
      CHECK(file.seekable());
      CHECK(file.name() == path);
      CHECK((fcntl(file.fileno(), F_GETFD) & FD_CLOEXEC) != 0);
      CHECK(on_disk(path) == one.content);
      same(co_await file.tell(), one.at);
      const std::string reading = co_await error_of(file.read());
      const std::string writing = co_await error_of(file.write("x"));
      const std::string cutting = co_await error_of(file.truncate());
      const char* const no_reading = "UnsupportedOperation: File not open for reading";
      const char* const no_writing = "UnsupportedOperation: File not open for writing";
      CHECK(reading == (one.readable ? "nothing" : no_reading));
      CHECK(writing == (one.writable ? "nothing" : no_writing));
      CHECK(cutting == (one.writable ? "nothing" : no_writing));
      co_await file.close();
    }
    for (const char* mode : {"x", "xb+"}) {
      const std::string fresh = folder / mode;
      const File file = co_await brio::open(fresh, mode);
      CHECK(file.mode() == (mode == std::string("x") ? "xb" : "xb+"));
      co_await file.write("new");
      co_await file.close();
      CHECK(on_disk(fresh) == "new");
      same(co_await error_of(brio::open(fresh, mode)),
           "FileExistsError: open '" + fresh + "' failed: File exists");
    }
  });
}

TEST_CASE("files: modes that there are not, and other arguments that cannot be") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto refused = [](std::string mode) -> Coro<std::string> {
      co_return co_await error_of(brio::open("/dev/null", std::move(mode)));
    };
    for (const char* mode : {"q", "r++", "rbb", "U", "r b", "ww"})
      same(co_await refused(mode), "ValueError: invalid mode: '" + std::string(mode) + "'");
    for (const char* mode : {"", "b", "+", "rw", "ax"})
      same(co_await refused(mode),
           "ValueError: must have exactly one of create/read/write/append mode");
    same(co_await refused("rbt"), "ValueError: can't have text and binary mode at once");
    // Python's default.
    same(co_await refused("rt"), "ValueError: no text mode (mode 'rt'): brio's files are bytes");
    same(co_await error_of(brio::open(std::string("/dev\0/null", 10))),
         "ValueError: embedded null byte");
    same(co_await error_of(brio::open("/dev/null", "r", {.buffer_size = 0})),
         "ValueError: buffer size must be strictly positive");
  });
}

TEST_CASE("files: errors name the operation and the path") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string missing = folder / "missing";
    same(co_await error_of(brio::open(missing)),
         "FileNotFoundError: open '" + missing + "' failed: No such file or directory");
    for (const char* mode : {"r", "w", "a"})
      same(co_await error_of(brio::open(folder.path(), mode)),
           "IsADirectoryError: open '" + folder.path() + "' failed: Is a directory");
    same(co_await error_of(brio::open("/dev/null/x")),
         "NotADirectoryError: open '/dev/null/x' failed: Not a directory");
    // Root may write what nobody else may; nobody may write this.
    if (geteuid() != 0) {
      same(co_await error_of(brio::open("/proc/version", "r+")),
           "PermissionError: open '/proc/version' failed: Permission denied");
    }
    const std::string path = folder / "file";
    const File file = co_await brio::open(path, "w+");
    same(co_await error_of(file.seek(-1)), "OSError: seek '" + path + "' failed: Invalid argument");
    same(co_await error_of(file.seek(0, 9)), "ValueError: whence value 9 unsupported");
    same(co_await error_of(file.truncate(-1)),
         "OSError: truncate '" + path + "' failed: Invalid argument");
    co_await file.close();
    // A file whose memory is not there: reading fails, not opening.
    const File memory = co_await brio::open("/proc/self/mem");
    same(co_await error_of(memory.read(1)),
         "OSError: read '/proc/self/mem' failed: Input/output error");
    co_await memory.close();
  });
}

TEST_CASE("files: reading, with a buffer smaller than what is read") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    put_on_disk(path, "one\ntwo\n\nfour");
    for (const std::size_t size : {1U, 4U, 64U}) {
      INFO(size);
      const File file = co_await brio::open(path, "rb", {.buffer_size = size});
      same(co_await file.readline(2), "on");
      same(co_await file.readline(), "e\n");
      same(co_await file.readline(0), "");
      same(co_await file.readline(-1), "two\n");
      same(co_await file.readline(), "\n");
      same(co_await file.tell(), 9);
      same(co_await file.readline(100), "four");
      same(co_await file.readline(), "");
      same(co_await file.read(), "");
      same(co_await file.read(3), "");
      same(co_await file.seek(0), 0);
      char bytes[5];
      same(co_await file.readinto(bytes), 5U);
      CHECK(std::string_view(bytes, 5) == "one\nt");
      same(co_await file.tell(), 5);
      same(co_await file.seek(-2, SEEK_CUR), 3);
      same(co_await file.read(3), "\ntw");
      same(co_await file.seek(-4, SEEK_END), 9);
      same(co_await file.read(-1), "four");
      same(co_await file.readinto(bytes), 0U);
      same(co_await file.read(0), "");
      same(co_await file.seek(100), 100);
      same(co_await file.read(), "");
      same(co_await file.tell(), 100);
      co_await file.seek(0);
      std::string lines;
      while (auto line = co_await file.next()) lines += "[" + *line + "]";
      CHECK(lines == "[one\n][two\n][\n][four]");
      same(co_await file.size(), 13);
      co_await file.close();
    }
  });
}

TEST_CASE("files: what is written, and when it reaches the file") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const File file = co_await brio::open(path, "wb", {.buffer_size = 8});
    same(co_await file.write("abc"), 3U);
    same(co_await file.tell(), 3);
    CHECK(on_disk(path) == "");
    same(co_await file.write("defgh"), 5U);
    CHECK(on_disk(path) == "");
    same(co_await file.write("i"), 1U);
    CHECK(on_disk(path) == "abcdefgh");
    same(co_await file.write("0123456789"), 10U);
    CHECK(on_disk(path) == "abcdefghi0123456789");
    same(co_await file.tell(), 19);
    co_await file.write("xy");
    co_await file.seek(2);
    CHECK(on_disk(path) == "abcdefghi0123456789xy");
    co_await file.write("Z");
    same(co_await file.truncate(), 3);
    same(co_await file.tell(), 3);
    CHECK(on_disk(path) == "abZ");
    co_await file.write("!");
    co_await file.flush();
    CHECK(on_disk(path) == "abZ!");
    co_await file.write("?");
    co_await file.fsync();
    CHECK(on_disk(path) == "abZ!?");
    co_await file.write(".");
    co_await file.fdatasync();
    CHECK(on_disk(path) == "abZ!?.");
    co_await file.write("end");
    same(co_await file.size(), 9);
    co_await file.write("+");
    co_await file.close();
    CHECK(on_disk(path) == "abZ!?.end+");
  });
}

TEST_CASE("files: reading and writing in turn") {
  // Python answers a read from its buffer without writing first; here a read of what is not held
  // writes. The bytes and the positions are the same.
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    put_on_disk(path, "hello world!");
    const File file = co_await brio::open(path, "rb+", {.buffer_size = 8});
    same(co_await file.read(3), "hel");
    same(co_await file.tell(), 3);
    co_await file.write("XX");
    same(co_await file.tell(), 5);
    same(co_await file.read(2), " w");
    CHECK(on_disk(path) == "helXX world!");
    same(co_await file.seek(-2, SEEK_END), 10);
    co_await file.write("!");
    co_await file.flush();
    CHECK(on_disk(path) == "helXX worl!!");
    co_await file.truncate(11);
    co_await file.close();

    const File log = co_await brio::open(path, "ab+", {.buffer_size = 8});
    same(co_await log.tell(), 11);
    same(co_await log.read(), "");
    co_await log.write("A");
    same(co_await log.tell(), 12);
    co_await log.seek(0);
    same(co_await log.read(2), "he");
    CHECK(on_disk(path) == "helXX worl!A");
    co_await log.write("B");
    same(co_await log.tell(), 3);
    co_await log.flush();
    same(co_await log.tell(), 13);
    same(co_await log.truncate(4), 4);
    same(co_await log.tell(), 13);
    co_await log.close();
    CHECK(on_disk(path) == "helX");

    const File fresh = co_await brio::open(path, "wb+", {.buffer_size = 4});
    std::vector<std::string> lines{"ab", "cd", "ef"};
    co_await fresh.writelines(lines);
    CHECK(on_disk(path) == "abcd");
    same(co_await fresh.tell(), 6);
    co_await fresh.seek(1);
    same(co_await fresh.read(2), "bc");
    co_await fresh.truncate(3);
    same(co_await fresh.seek(0, SEEK_END), 3);
    co_await fresh.truncate(6);
    co_await fresh.seek(0);
    same(co_await fresh.read(), std::string("abc\0\0\0", 6));
    co_await fresh.close();
  });
}

TEST_CASE("files: a full disk is reported by every flush, and nothing is lost until close") {
  const NothingLeft nothing_left;
  const Logs logs;
  brio::run([]() -> Coro<> {
    const std::string full = "OSError: write '/dev/full' failed: No space left on device";
    const File file = co_await brio::open("/dev/full", "wb", {.buffer_size = 8});
    co_await file.write("abc");
    same(co_await error_of(file.flush()), full);
    same(co_await error_of(file.flush()), full);
    same(co_await error_of(file.write("defghij")), full);
    same(co_await error_of(file.seek(0)), full);
    same(co_await error_of(file.fsync()), full);
    CHECK(!file.closed());
    same(co_await error_of(file.close()), full);
    CHECK(file.closed());
    co_await file.close();
    const File direct = co_await brio::open("/dev/full", "wb", {.buffer_size = 8});
    same(co_await error_of(direct.write("more than the buffer holds")), full);
    co_await direct.close();  // nothing of it was kept
    same(co_await error_of(brio::write_file("/dev/full", "x")), full);
    same(co_await error_of(brio::write_file("/dev/full", std::string(1 << 20, 'x'))), full);
  });
  CHECK(!logs.contain("could not be written"));
}

TEST_CASE("files: a closed file says so") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    File file = co_await brio::open(folder / "file", "w+");
    CHECK(!file.closed());
    co_await file.close();
    co_await file.close();
    CHECK(file.closed());
    const std::string closed = "ValueError: I/O operation on closed file.";
    char byte = 0;
    same(co_await error_of(file.read()), closed);
    same(co_await error_of(file.readinto({&byte, 1})), closed);
    same(co_await error_of(file.readline()), closed);
    same(co_await error_of(file.next()), closed);
    same(co_await error_of(file.write("x")), closed);
    same(co_await error_of(file.writelines({"x"})), closed);
    same(co_await error_of(file.seek(0)), closed);
    same(co_await error_of(file.tell()), closed);
    same(co_await error_of(file.truncate()), closed);
    same(co_await error_of(file.size()), closed);
    same(co_await error_of(file.flush()), closed);
    same(co_await error_of(file.fsync()), closed);
    CHECK_THROWS_AS((void)file.fileno(), brio::ValueError);
    CHECK(file.mode() == "rb+");
    const File moved = std::move(file);
    CHECK(file.closed());  // NOLINT: what is left of it
    CHECK_THROWS_AS((void)file.read(), brio::ValueError);
    CHECK(moved.name() == folder / "file");
  });
}

TEST_CASE("files: larger than any buffer") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    const std::string text = numbered(1'000'000);
    same(co_await brio::write_file(path, text), text.size());
    for (const std::size_t size : {std::size_t{1000}, std::size_t{64 * 1024}}) {
      const File file = co_await brio::open(path, "rb", {.buffer_size = size});
      std::string lines;
      while (auto line = co_await file.next()) lines += *line;
      CHECK((lines == text));
      co_await file.seek(0);
      std::string pieces;
      for (std::size_t n = 1;; n = n * 3 + 1) {
        const std::string piece = co_await file.read(n);
        pieces += piece;
        if (piece.size() < n) break;
      }
      CHECK((pieces == text));
      co_await file.seek(7);
      const std::string rest = co_await file.read();
      CHECK((rest == text.substr(7)));
      co_await file.seek(0);
      const std::string bounded = co_await file.read(std::size_t{1} << 50);
      CHECK((bounded == text));
      co_await file.close();
    }
    const File copy = co_await brio::open(folder / "copy", "w", {.buffer_size = 1000});
    for (std::size_t at = 0, n = 1; at < text.size(); at += n, n = n * 2 % 5003)
      co_await copy.write(text.substr(at, n));
    co_await copy.close();
    const std::string copied = co_await brio::read_file(folder / "copy");
    CHECK((copied == text));
  });
}

TEST_CASE("files: max_read, and what it refuses stays to be read") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string path = folder / "file";
    put_on_disk(path, "0123456789\nabc");
    const File file = co_await brio::open(path, "rb", {.buffer_size = 4, .max_read = 10});
    const std::string more = "ValueError: read of '" + path + "' would give more than 10 bytes";
    same(co_await error_of(file.read()), more);
    same(co_await error_of(file.readline()), more);
    same(co_await error_of(file.readline()), more);
    same(co_await file.tell(), 0);
    same(co_await file.readline(5), "01234");
    same(co_await file.read(), "56789\nabc");
    co_await file.close();
    const File endless = co_await brio::open("/dev/zero", "rb", {.max_read = 100'000});
    same(co_await error_of(endless.read()),
         "ValueError: read of '/dev/zero' would give more than 100000 bytes");
    co_await endless.close();
    same(co_await brio::read_file(path, {.max_size = 14}), "0123456789\nabc");
    same(co_await error_of(brio::read_file(path, {.max_size = 13})),
         "ValueError: read of '" + path + "' would give more than 13 bytes");
    // Files of /proc say that they are empty.
    const std::string version = co_await brio::read_file("/proc/version");
    CHECK(version.starts_with("Linux"));
  });
}
