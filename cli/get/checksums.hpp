// SHA-256: sums while a file comes in, and the files of sums that sha256sum writes and reads.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

namespace brio::cli {

/// A SHA-256 sum in the making.
class Sha256 {
public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view data);
  /// The sum of all that came, as 64 lower-case hex digits. Ends the sum.
  std::string hex_digest();
  /// Starts again.
  void reset();

private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// A file of sums: which file must have which.
class ChecksumList {
public:
  /// Longest text that is read.
  static constexpr std::size_t max_bytes = 64U * 1024 * 1024;

  /// Reads sha256sum's lines ("<hex>  name", "<hex> *name", with \n, \r and \\ escaped behind a
  /// leading backslash) and the BSD form ("SHA256 (name) = <hex>"); empty lines and those that
  /// begin with '#' say nothing. Names are compared by their last component. Throws
  /// std::runtime_error that names the line for anything else, and for two sums for one name.
  static ChecksumList parse(std::string_view text);

  /// The sum for a file of that name, or nothing.
  std::optional<std::string> find(const std::string& name) const;
  std::size_t size() const { return sums_.size(); }

private:
  std::unordered_map<std::string, std::string> sums_;
};

}  // namespace brio::cli
