// Any bytes over the channel of a process pool: as frames in any pieces, as values, as an error.
#include <brio/exec/process_frames.hpp>
#include <brio/exec/remote_error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

using brio::concurrent::SerializationError;
using brio::detail::WireFrame;
using brio::detail::WireReader;

namespace {

struct Tree {
  std::string name;
  std::vector<Tree> children;
};
void brio_serialize(auto& archive, Tree& tree) { archive(tree.name, tree.children); }

using Everything =
    std::tuple<bool, std::vector<std::uint16_t>, std::optional<std::string>,
               std::variant<std::monostate, int, std::vector<std::string>>,
               std::map<std::string, std::set<int>>, std::vector<bool>, std::chrono::seconds, Tree>;

void require(bool held) {
  if (!held) std::abort();
}

// The frames, and "!" behind them where one was refused.
std::vector<std::string> frames_of(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> found;
  WireReader reader(100'000);
  try {
    while (!bytes.empty()) {
      const std::span<char> space = reader.space();
      require(!space.empty());
      const std::size_t size = std::min({space.size(), piece, bytes.size()});
      std::copy_n(bytes.data(), size, space.data());
      bytes.remove_prefix(size);
      if (!reader.filled(size)) continue;
      const WireFrame frame = reader.take();
      found.push_back(std::to_string(static_cast<unsigned>(frame.kind)) + ":" +
                      std::to_string(frame.id) + ":" + frame.payload);
    }
  } catch (const SerializationError&) {
    found.emplace_back("!");
  }
  return found;
}

template <class T>
void read(std::string_view bytes) {
  std::optional<T> value;
  try {
    value = brio::serial::loads<T>(bytes);
  } catch (const SerializationError&) {
    return;
  }
  // What was a value can be written, and is read again.
  const std::string again = brio::serial::dumps(*value);
  require(brio::serial::dumps(brio::serial::loads<T>(again)) == again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = 1 + data[1] % 32;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 4) {
    case 0: require(frames_of(bytes, piece) == frames_of(bytes, bytes.size() + 1)); break;
    case 1: read<Everything>(bytes); break;
    case 2: read<Tree>(bytes); break;
    default:
      try {
        brio::serial::Reader reader(bytes);
        require(brio::detail::read_error(reader) != nullptr);
      } catch (const SerializationError&) {
        break;
      }
  }
  return 0;
}
