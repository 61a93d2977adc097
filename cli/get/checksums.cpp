#include "get/checksums.hpp"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

namespace brio::cli {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> md{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) { reset(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::reset() {
  if (EVP_DigestInit_ex(context_->md.get(), EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("SHA-256 is not available");
  }
}

void Sha256::update(std::string_view data) {
  EVP_DigestUpdate(context_->md.get(), data.data(), data.size());
}

std::string Sha256::hex_digest() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context_->md.get(), sum.data(), &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += digits[sum[i] >> 4];
    hex += digits[sum[i] & 15];
  }
  return hex;
}

namespace {

std::optional<std::string> sum(std::string_view text) {
  if (text.size() != 64) return std::nullopt;
  std::string hex(text);
  for (char& c : hex) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
  }
  return hex;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    const std::size_t which = std::string_view("\\nr").find(text[i]);
    if (which == std::string_view::npos) return std::nullopt;
    out += "\\\n\r"[which];
  }
  return out;
}

struct Entry {
  std::string name;
  std::string sum;
};

std::optional<Entry> parse_line(std::string_view line) {
  const bool escaped = line.starts_with('\\');
  if (escaped) line.remove_prefix(1);
  std::string_view name;
  std::optional<std::string> hex;
  constexpr std::string_view bsd = "SHA256 (";
  constexpr std::string_view between = ") = ";
  if (line.starts_with(bsd)) {
    const std::size_t end = line.rfind(between);
    if (end == std::string_view::npos || end < bsd.size()) return std::nullopt;
    name = line.substr(bsd.size(), end - bsd.size());
    hex = sum(line.substr(end + between.size()));
  } else {
    // The digits, a space, then a space (text) or an asterisk (binary), then the name.
    if (line.size() < 67 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*')) {
      return std::nullopt;
    }
    hex = sum(line.substr(0, 64));
    name = line.substr(66);
  }
  const std::optional<std::string> whole = escaped ? unescaped(name) : std::string(name);
  if (!hex || !whole) return std::nullopt;
  std::string base = whole->substr(whole->rfind('/') + 1);
  if (base.empty()) return std::nullopt;
  return Entry{std::move(base), std::move(*hex)};
}

}  // namespace

ChecksumList ChecksumList::parse(std::string_view text) {
  if (text.size() > max_bytes) throw std::runtime_error("file of checksums is too large");
  ChecksumList list;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    auto entry = parse_line(line);
    const std::string where = "line " + std::to_string(number);
    if (!entry) throw std::runtime_error(where + " is no checksum line");
    const auto [place, fresh] = list.sums_.emplace(entry->name, entry->sum);
    if (!fresh && place->second != entry->sum) {
      throw std::runtime_error(where + ": another checksum for " + entry->name);
    }
  }
  return list;
}

std::optional<std::string> ChecksumList::find(const std::string& name) const {
  const auto found = sums_.find(name);
  if (found == sums_.end()) return std::nullopt;
  return found->second;
}

}  // namespace brio::cli
