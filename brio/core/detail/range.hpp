// The little of <ranges> that gather, wait and map need; the header itself costs a tenth of what a
// hello-world takes to compile.
#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

namespace brio::detail {

template <class R>
concept Range = requires(R& range) {
  std::begin(range);
  std::end(range);
};
template <Range R>
using range_iterator_t = decltype(std::begin(std::declval<R&>()));
template <Range R>
using range_reference_t = decltype(*std::begin(std::declval<R&>()));
template <Range R>
using range_value_t = std::remove_cvref_t<decltype(*std::begin(std::declval<R&>()))>;

/// How many there are, if that is known without walking; else 0.
template <Range R>
std::size_t size_hint(const R& range) {
  if constexpr (requires { std::size(range); })
    return static_cast<std::size_t>(std::size(range));
  else
    return 0;
}

}  // namespace brio::detail
