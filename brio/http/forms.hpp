// Pairs of names and values as a query or a form has them (application/x-www-form-urlencoded).
#pragma once

#include <brio/core/config.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brio::http {

/// Pairs of names and values in order, as a query or a form has them.
using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Reads application/x-www-form-urlencoded, as a query or a body has it: '+' is a space, %XX is
/// decoded, a stray '%' stays, a part without '=' has an empty value, empty parts are none.
[[nodiscard]] BRIO_API Pairs parse_form(std::string_view text);
/// Writes it (urllib.parse.urlencode).
[[nodiscard]] BRIO_API std::string encode_form(const Pairs& pairs);

}  // namespace brio::http
