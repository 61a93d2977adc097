// Tables by descriptor number: how they grow.
#pragma once

#include <cstddef>
#include <vector>

namespace brio::detail {

/// The place of `index` in `table`, which is made long enough. It grows by an eighth, not by the
/// double: with ten thousand connections the unused half would cost as much as the used one, and
/// descriptors are given out from below, so that growing is rare.
template <class T>
T& place_of(std::vector<T>& table, std::size_t index) {
  if (index >= table.size()) {
    if (index >= table.capacity()) table.reserve(index + index / 8 + 16);
    table.resize(index + 1);
  }
  return table[index];
}

}  // namespace brio::detail
