#include <brio/exec/serialize.hpp>

#include <brio/exec/process_frames.hpp>
#include <brio/exec/remote_error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

using brio::concurrent::SerializationError;
using brio::serial::dumps;
using brio::serial::loads;
using brio::serial::Serializable;

namespace {

enum class Colour : std::uint8_t { red, green };

struct Point {
  int x = 0;
  int y = 0;
  bool operator==(const Point&) const = default;
};
void brio_serialize(auto& archive, Point& point) { archive(point.x, point.y); }

struct Tree {
  std::string name;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};
void brio_serialize(auto& archive, Tree& tree) { archive(tree.name, tree.children); }

class Even {  // no default constructor
public:
  explicit Even(int value) : value_(value) {
    if (value % 2 != 0) throw brio::ValueError("odd");
  }
  [[nodiscard]] int value() const { return value_; }
  bool operator==(const Even&) const = default;

private:
  int value_;
};

struct Empty {
  bool operator==(const Empty&) const = default;
};
void brio_serialize(auto&, Empty&) {}

struct Hookless {
  int x;
};

template <class T>
void comes_back(const T& value) {
  const std::string bytes = dumps(value);
  CHECK((loads<T>(bytes) == value));
  // Every beginning of it is refused, and so is more.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_THROWS_AS((void)loads<T>(std::string_view(bytes).substr(0, size)), SerializationError);
  CHECK_THROWS_AS((void)loads<T>(bytes + "x"), SerializationError);
}

std::exception_ptr travelled(const std::exception_ptr& error) {
  brio::serial::Writer writer;
  brio::detail::write_error(writer, error);
  brio::serial::Reader reader(writer.text());
  std::exception_ptr copy = brio::detail::read_error(reader);
  reader.finish();
  return copy;
}

template <class E>
void error_comes_back(const E& error) {
  const auto before = std::make_exception_ptr(error);
  const auto after = travelled(before);
  CHECK(brio::type_name(after) == brio::type_name(before));
  CHECK(brio::describe(after) == brio::describe(before));
}

}  // namespace

template <>
struct brio::serial::Serializer<Even> {
  static void write(Writer& writer, const Even& even) { writer(even.value()); }
  static Even read(Reader& reader) { return Even(Serializer<int>::read(reader)); }
};

TEST_CASE("serialize: values come back") {
  comes_back(true);
  comes_back(-1);
  comes_back('c');
  comes_back(3.25);
  comes_back(1.5L);
  comes_back(Colour::green);
  comes_back(std::byte{7});
  comes_back(std::string("text\0with zero", 14));
  comes_back(std::u16string(u"wide"));
  comes_back(std::vector<int>{1, 2, 3});
  comes_back(std::vector<std::byte>{std::byte{1}});
  comes_back(std::vector<bool>{true, false});
  comes_back(std::vector<std::vector<std::string>>{{"a"}, {}, {"b", "c"}});
  comes_back(std::deque<int>{1, 2});
  comes_back(std::list<Point>{{1, 2}, {3, 4}});
  comes_back(std::array<int, 3>{1, 2, 3});
  comes_back(std::array<int, 0>{});
  comes_back(std::pair<int, std::string>(1, "x"));
  comes_back(std::tuple<int, bool, std::string>(1, true, "y"));
  comes_back(std::tuple<>());
  comes_back(std::optional<int>(4));
  comes_back(std::optional<int>());
  comes_back(std::optional<std::optional<int>>(std::optional<int>()));
  comes_back(std::variant<int, std::string, std::monostate>("z"));
  comes_back(std::variant<int, std::string, std::monostate>(std::monostate()));
  comes_back(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  comes_back(std::unordered_map<int, Point>{{1, {2, 3}}, {4, {5, 6}}});
  comes_back(std::multimap<int, int>{{1, 2}, {1, 3}});
  comes_back(std::set<std::string>{"a", "b"});
  comes_back(std::unordered_set<int>{1, 2, 3});
  comes_back(std::chrono::milliseconds(5));
  comes_back(std::chrono::steady_clock::now());
  comes_back(Point{1, -2});
  comes_back(Tree{"root", {{"leaf", {}}, {"twig", {{"bud", {}}}}}});
  comes_back(Even(4));
  comes_back(std::vector<Empty>(3));
}

static_assert(Serializable<std::map<int, std::vector<Even>>>);
static_assert(!Serializable<int*>);
static_assert(!Serializable<const char*>);
static_assert(!Serializable<std::vector<int*>>);
static_assert(!Serializable<std::map<int, Hookless>>);
static_assert(!Serializable<std::tuple<int, Hookless>>);
static_assert(!Serializable<std::optional<int*>>);
static_assert(!Serializable<Hookless>);
static_assert(!Serializable<std::string_view>);
static_assert(!Serializable<std::span<const int>>);

TEST_CASE("serialize: what is no value is refused") {
  CHECK_THROWS_AS((void)loads<bool>("\2"), SerializationError);
  CHECK_THROWS_AS((void)loads<std::optional<int>>("\2abcd"), SerializationError);
  CHECK_THROWS_AS((void)loads<Point>("xabcdefgh"), SerializationError);
  using Either = std::variant<int, std::string>;
  CHECK_THROWS_AS((void)loads<Either>("\2abcd"), SerializationError);
  // A count that cannot be.
  std::string bytes = dumps(std::vector<int>{1});
  bytes[7] = '\x7f';
  CHECK_THROWS_AS((void)loads<std::vector<int>>(bytes), SerializationError);
  CHECK_THROWS_AS((void)loads<std::string>(bytes), SerializationError);
  CHECK_THROWS_AS((void)loads<std::vector<Empty>>(bytes), SerializationError);
  CHECK_THROWS_AS((void)loads<std::set<int>>(bytes), SerializationError);
  // A value's own rules hold.
  CHECK_THROWS_WITH_AS((void)loads<Even>(dumps(3)), "odd", brio::ValueError);
}

TEST_CASE("serialize: nesting has a limit, both ways") {
  const auto chain = [](int length) {
    Tree tree{"x", {}};
    for (int i = 1; i < length; ++i) {
      Tree parent{"x", {}};
      parent.children.push_back(std::move(tree));
      tree = std::move(parent);
    }
    return tree;
  };
  comes_back(chain(3));
  CHECK_NOTHROW((void)loads<Tree>(dumps(chain(200))));
  CHECK_THROWS_WITH_AS((void)dumps(chain(300)), doctest::Contains("deep"), SerializationError);
  // Written without the writer's limit.
  std::string deep;
  for (int i = 0; i < 10'000; ++i)
    deep += "\xb1" + dumps(std::string("x")) + dumps(std::uint64_t{1});
  CHECK_THROWS_WITH_AS((void)loads<Tree>(deep), doctest::Contains("deep"), SerializationError);
}

TEST_CASE("serialize: a variant without a value") {
  std::variant<int, std::string> value = 1;
  try {
    value.emplace<std::string>(std::size_t(-1), 'x');
  } catch (const std::length_error&) {
  }
  if (value.valueless_by_exception()) CHECK_THROWS_AS((void)dumps(value), SerializationError);
}

TEST_CASE("serialize: errors come back as what they were") {
  error_comes_back(brio::ValueError("v"));
  error_comes_back(brio::KeyError("k"));
  error_comes_back(brio::TimeoutError("late"));
  error_comes_back(brio::QueueEmpty());
  error_comes_back(brio::CancelledError());
  error_comes_back(brio::CancelledError("why"));
  error_comes_back(brio::KeyboardInterrupt());
  error_comes_back(brio::concurrent::CancelledError());
  error_comes_back(brio::concurrent::BrokenProcessPool("b"));
  error_comes_back(std::runtime_error("r"));
  error_comes_back(std::bad_alloc());
  error_comes_back(std::length_error("l"));
  error_comes_back(
      std::system_error(std::make_error_code(std::errc::address_in_use), "bind to port 1"));
  error_comes_back(brio::ConnectionResetError(ECONNRESET, "read"));
  error_comes_back(brio::PermissionError(EACCES, "open"));
  error_comes_back(brio::SystemExit(3, "bye"));
  error_comes_back(brio::LimitOverrunError("too long", 17));
  error_comes_back(brio::IncompleteReadError("part", 10));

  const auto exit = travelled(std::make_exception_ptr(brio::SystemExit(3, "bye")));
  try {
    std::rethrow_exception(exit);
  } catch (const brio::SystemExit& error) {
    CHECK(error.code() == 3);
  }
  try {
    std::rethrow_exception(
        travelled(std::make_exception_ptr(brio::IncompleteReadError("part", 10))));
  } catch (const brio::IncompleteReadError& error) {
    CHECK(error.partial() == "part");
    CHECK(error.expected() == 10);
  }
  try {
    std::rethrow_exception(travelled(std::make_exception_ptr(brio::CancelledError())));
  } catch (const brio::CancelledError& error) {
    CHECK_FALSE(error.message());
  }
  // A remote error that travels on is the same one, not one in another.
  error_comes_back(brio::concurrent::RemoteError("their::Error", "x"));
  try {
    std::rethrow_exception(
        travelled(std::make_exception_ptr(brio::concurrent::RemoteError("their::Error", "x"))));
  } catch (const brio::concurrent::RemoteError& error) {
    CHECK(error.type() == "their::Error");
  }
}

TEST_CASE("process frames: whole, in pieces, one behind the other") {
  using namespace brio::detail;
  std::string bytes;
  const std::vector<std::string> payloads{"", "a", std::string(200'000, 'x'), "z"};
  std::uint64_t id = 0;
  for (const std::string& payload : payloads) {
    const WireHeader header{.kind = WireKind::value, .id = ++id, .size = payload.size()};
    bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += payload;
  }
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
    WireReader reader(1'000'000);
    std::vector<WireFrame> frames;
    std::string_view left = bytes;
    while (!left.empty()) {
      const std::span<char> space = reader.space();
      REQUIRE_FALSE(space.empty());
      const std::size_t size = std::min({space.size(), piece, left.size()});
      std::copy_n(left.data(), size, space.data());
      left.remove_prefix(size);
      if (reader.filled(size)) frames.push_back(reader.take());
    }
    REQUIRE(frames.size() == payloads.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      CHECK(frames[i].id == i + 1);
      CHECK((frames[i].payload == payloads[i]));
    }
  }
}

TEST_CASE("process frames: what is none is refused") {
  using namespace brio::detail;
  const auto feed = [](WireHeader header) {
    WireReader reader(100);
    const std::span<char> space = reader.space();
    REQUIRE(space.size() == sizeof header);
    std::copy_n(reinterpret_cast<const char*>(&header), sizeof header, space.data());
    return reader.filled(sizeof header);
  };
  CHECK(feed({.kind = WireKind::value, .id = 1, .size = 0}));
  CHECK_FALSE(feed({.kind = WireKind::value, .id = 1, .size = 100}));
  CHECK_THROWS_AS(feed({.kind = WireKind::value, .id = 1, .size = 101}), SerializationError);
  CHECK_THROWS_AS(feed({.kind = WireKind{}, .id = 1, .size = 0}), SerializationError);
  CHECK_THROWS_AS(feed({.kind = WireKind{4}, .id = 1, .size = 0}), SerializationError);
  CHECK_THROWS_AS(feed({.magic = 1, .kind = WireKind::value, .id = 1, .size = 0}),
                  SerializationError);
}
