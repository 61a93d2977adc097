// A folder's entries as a page.
#pragma once

#include <string>
#include <string_view>

namespace brio::http::detail {

/// The page for the open folder, whose path is `title`. Reads the disk. Throws OSError.
[[nodiscard]] std::string list_folder(int folder, const std::string& title, bool dotfiles);

/// `text` for HTML's text and attributes.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace brio::http::detail
