// Which name a downloaded file gets. Whatever a URL or a server proposes, the result is one plain
// component in the target folder, visible, printable and not taken.
#pragma once

#include <brio/http/url.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace brio::cli {

/// Longest name in bytes; Linux has 255 (NAME_MAX), and a collision's number needs room.
inline constexpr std::size_t max_name_bytes = 240;

/// Turns a proposed name into a safe one, or "" where nothing is left of it: only what follows the
/// last slash or backslash, no control or direction-changing characters, valid UTF-8, no leading
/// dot or dash, no device name of Windows, at most `limit` bytes with the extension kept.
std::string safe_name(std::string_view proposed, std::size_t limit = max_name_bytes);

/// The name for what `requested` was answered with: the server's Content-Disposition, else the last
/// segment of the requested URL, else that of the final one, else "index.html".
std::string choose_name(const http::URL& requested, const http::URL& answered,
                        std::optional<std::string_view> content_disposition);

/// `name` for `number` 0, else with the number before its extension: "a.1.txt", "a.1.tar.gz".
std::string numbered_name(std::string_view name, unsigned number);

/// Gives out names, each only once, whatever the case of its letters, and none that `exists` knows.
class NameRegistry {
public:
  /// `exists` says whether a name is taken on the disk.
  explicit NameRegistry(std::function<bool(const std::string&)> exists);

  /// Takes `name` or the first free numbered form of it.
  std::string take(std::string_view name);
  /// Gives a name back that was not used.
  void release(const std::string& name);

private:
  std::function<bool(const std::string&)> exists_;
  std::unordered_set<std::string> taken_;  // lower case
  // Where to go on counting for a name, so that many files of one name cost no search each.
  std::unordered_map<std::string, unsigned> next_;
};

/// Text for a terminal: control characters, broken UTF-8 and what changes the writing direction
/// become '?', so that no name or message of a server can move the cursor.
std::string printable(std::string_view text);

}  // namespace brio::cli
