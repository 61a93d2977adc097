#include <brio/http/headers.hpp>

#include <algorithm>
#include <array>

namespace brio::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> token_table = make_token_table();

// Checks both; gives the value without what stands around it.
std::string_view checked(std::string_view name, std::string_view value) {
  if (!is_token(name)) throw ValueError("invalid header name '" + std::string(name) + "'");
  if (!is_field_value(value)) {
    throw ValueError("invalid character in the value of header '" + std::string(name) + "'");
  }
  return trimmed(value);
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Most characters are equal as they are, or differ in more than the bit of case.
    if (a[i] != b[i] && (((a[i] ^ b[i]) & ~0x20) != 0 || lower(a[i]) != lower(b[i]))) return false;
  }
  return true;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return token_table[static_cast<unsigned char>(c)];
  });
}

bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

Headers::Headers(std::initializer_list<Header> fields) {
  places_.reserve(fields.size());
  for (const Header& field : fields) add(field.name, field.value);
}

Headers::Place Headers::store(std::string_view name, std::string_view value) {
  const std::size_t at = text_.size();
  if (name.size() + value.size() > max_size - at) {
    throw ValueError("header fields of more than " + std::to_string(max_size) + " bytes");
  }
  // What is appended may lie in the text itself, which moves when it grows.
  if (text_.capacity() - at < name.size() + value.size()) {
    const std::string kept_name(name);
    const std::string kept_value(value);
    text_.append(kept_name).append(kept_value);
  } else {
    text_.append(name).append(value);
  }
  const auto size = [](std::size_t bytes) { return static_cast<std::uint32_t>(bytes); };
  return {size(at), size(name.size()), size(at + name.size()), size(value.size())};
}

void Headers::add(std::string_view name, std::string_view value) {
  value = checked(name, value);
  places_.push_back(store(name, value));
}

void Headers::set(std::string_view name, std::string_view value) {
  value = checked(name, value);
  const Place mine = store(name, value);
  const std::string_view wanted = field(mine).name;
  const auto same = [&](const Place& place) { return iequals(field(place).name, wanted); };
  const auto first = std::find_if(places_.begin(), places_.end(), same);
  if (first == places_.end()) {
    places_.push_back(mine);
    return;
  }
  *first = mine;
  places_.erase(std::remove_if(first + 1, places_.end(), same), places_.end());
}

std::string_view Headers::setdefault(std::string_view name, std::string_view value) {
  if (const auto found = get(name)) return *found;
  add(name, value);
  return field(places_.back()).value;
}

void Headers::extend(const Headers& other) {
  // By index: `other` may be this one.
  const std::size_t count = other.places_.size();
  places_.reserve(places_.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const Header field = other.field(other.places_[i]);
    places_.push_back(store(field.name, field.value));
  }
}

void Headers::update(const Headers& other) {
  if (&other == this) return;
  for (const Header field : other) remove(field.name);
  extend(other);
}

std::size_t Headers::remove(std::string_view name) {
  return std::erase_if(places_,
                       [&](const Place& place) { return iequals(field(place).name, name); });
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Header field : *this) {
    if (iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view otherwise) const {
  const auto found = get(name);
  return found ? *found : otherwise;
}

std::string_view Headers::at(std::string_view name) const {
  if (const auto found = get(name)) return *found;
  throw KeyError(std::string(name));
}

std::vector<std::string_view> Headers::getall(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Header field : *this) {
    if (iequals(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

bool operator==(const Headers& a, const Headers& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool Headers::contains(std::string_view name) const { return get(name).has_value(); }

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (std::string_view rest : getall(name)) {
    while (true) {
      const std::size_t comma = rest.find(',');
      if (iequals(trimmed(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace brio::http
