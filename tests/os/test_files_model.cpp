// Files against a model: a string and a position. Whatever is done in whatever order, with whatever
// buffer, the bytes and positions are those of a file without one.
#include "files_support.hpp"

#include <algorithm>
#include <random>

using namespace brio::tests;
using brio::Coro;
using brio::File;

namespace {

struct Model {
  std::string content;
  std::size_t at = 0;
  bool appending = false;

  std::string read(std::size_t size) {
    if (at >= content.size()) return {};
    std::string data = content.substr(at, size);
    at += data.size();
    return data;
  }
  std::string readline(std::size_t limit) {
    const std::size_t end = at < content.size() ? content.find('\n', at) : content.npos;
    return read(std::min(limit, end == content.npos ? content.npos : end + 1 - at));
  }
  void write(const std::string& data) {
    if (data.empty()) return;
    if (appending) at = content.size();
    if (content.size() < at + data.size()) content.resize(at + data.size());
    content.replace(at, data.size(), data);
    at += data.size();
  }
};

// Text with a line end here and there.
std::string some_text(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = "abcdefgh\nijklmnop\n"[random() % 18];
  return text;
}

Coro<> compare(std::string path, const char* mode, std::size_t buffer_size, unsigned seed) {
  std::mt19937 random(seed);
  Model model{.content = some_text(random, 40), .appending = mode[0] == 'a'};
  put_on_disk(path, model.content);
  const File file = co_await brio::open(path, mode, {.buffer_size = buffer_size});
  if (model.appending) model.at = model.content.size();
  for (int step = 0; step < 150; ++step) {
    INFO("mode " << mode << ", buffer " << buffer_size << ", seed " << seed << ", step " << step);
    const std::size_t size = random() % 12;
    switch (random() % 9) {
      case 0: same(co_await file.read(size), model.read(size)); break;
      case 1: same(co_await file.readline(), model.readline(std::string::npos)); break;
      case 2: same(co_await file.readline(size), model.readline(size)); break;
      case 3:
      case 4: {
        const std::string data = some_text(random, size);
        co_await file.write(data);
        model.write(data);
        // Where an append has gone is known when it is written.
        if (model.appending) co_await file.flush();
        break;
      }
      case 5: {
        const std::size_t to = random() % (model.content.size() + 5);
        same(co_await file.seek(static_cast<std::int64_t>(to)), static_cast<std::int64_t>(to));
        model.at = to;
        break;
      }
      case 6: {
        const auto by = static_cast<std::int64_t>(random() % 13) - 6;
        const std::int64_t to = static_cast<std::int64_t>(model.at) + by;
        const std::string error = co_await error_of(file.seek(by, SEEK_CUR));
        CHECK((error == "nothing") == (to >= 0));
        if (to >= 0) model.at = static_cast<std::size_t>(to);
        break;
      }
      case 7:
        if (random() % 4 == 0) {
          co_await file.truncate();
          model.content.resize(model.at);
        } else {
          co_await file.flush();
          CHECK(on_disk(path) == model.content);
        }
        break;
      default: same(co_await file.size(), static_cast<std::int64_t>(model.content.size()));
    }
    same(co_await file.tell(), static_cast<std::int64_t>(model.at));
  }
  co_await file.close();
  CHECK(on_disk(path) == model.content);
}

}  // namespace

TEST_CASE("files: any operations in any order, with any buffer") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    for (const std::size_t buffer_size : {1U, 3U, 8U, 1000U}) {
      for (unsigned seed = 0; seed < 6; ++seed) {
        co_await compare(folder / "file", "r+", buffer_size, seed);
        co_await compare(folder / "file", "a+", buffer_size, seed);
      }
    }
  });
}

TEST_CASE("files: from every place to every place") {
  const NothingLeft nothing_left;
  const Folder folder;
  brio::run([&]() -> Coro<> {
    const std::string text = "0123456789";
    put_on_disk(folder / "file", text);
    const File file = co_await brio::open(folder / "file", "r", {.buffer_size = 4});
    for (std::size_t from = 0; from < 10; ++from) {
      for (std::size_t to = 0; to <= 12; ++to) {
        for (const bool relative : {false, true}) {
          INFO("from " << from << " to " << to << " relative " << relative);
          // Around by the end, so that the buffer begins at `from`.
          co_await file.seek(0, SEEK_END);
          co_await file.seek(static_cast<std::int64_t>(from));
          same(co_await file.read(1), text.substr(from, 1));
          // One that fails changes nothing.
          const std::string error = co_await error_of(file.seek(-20, SEEK_CUR));
          CHECK(error.ends_with("failed: Invalid argument"));
          same(co_await file.tell(), static_cast<std::int64_t>(from) + 1);
          const auto target = static_cast<std::int64_t>(to);
          const std::int64_t here = static_cast<std::int64_t>(from) + 1;
          same(
              co_await file.seek(relative ? target - here : target, relative ? SEEK_CUR : SEEK_SET),
              target);
          same(co_await file.read(2), to < 10 ? text.substr(to, 2) : "");
        }
      }
    }
    co_await file.close();
  });
}
