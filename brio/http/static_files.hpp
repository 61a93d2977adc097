// Files as answers (aiohttp's FileResponse and add_static).
//
//     router.add_get("/assets/{path:*}", StaticFiles("/srv/assets").handler());
#pragma once

#include <brio/http/server.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http {

/// Keyword arguments of StaticFiles.
struct StaticOptions {
  /// What stands for a folder, the first that is there; none of them: a listing, or 404.
  std::vector<std::string> index = {"index.html"};
  /// Show a folder's entries where it has no index.
  bool show_index = false;
  /// Serve names that begin with '.', and list them. `.well-known` is served always.
  bool dotfiles = false;
  /// Serve "name.br" and "name.gz" in place of "name" where they stand beside it, are not older,
  /// and the client takes that coding.
  bool precompressed = true;
  /// What is served for a path that is not there, with 200: a single-page application's page.
  std::optional<std::string> fallback = std::nullopt;
  /// The Cache-Control field; "" for none.
  std::string cache_control = {};
};

/// A folder as answers to GET and HEAD.
///
/// No path leads out of the folder: symbolic links that do are not followed, as the kernel says
/// (openat2, RESOLVE_BENEATH). Only regular files and folders are served. With ETag, Last-Modified,
/// conditional requests, one range, and the kernel's sendfile where the connection is not TLS. What
/// is not in the kernel's cache is looked up in a thread.
class BRIO_API StaticFiles {
public:
  /// Opens the folder. Throws OSError.
  explicit StaticFiles(const std::string& folder, StaticOptions options = {});

  /// Answers with the file that the route's part of that name leads to (the whole path, where the
  /// route has none). Throws HTTPException (404, 403, 405); OSError where the disk fails.
  [[nodiscard]] Handler handler(std::string part = "path") const;
  /// Answers with the file at `path`, decoded and relative to the folder.
  [[nodiscard]] Coro<Response> serve(Request& request, std::string path) const;

private:
  class Folder;
  std::shared_ptr<const Folder> folder_;
};

/// Answers with a file of any path, chosen by the program (aiohttp.web.FileResponse). Never with
/// one that the client has named: see StaticFiles. `options` may say the content type and more
/// headers. Throws HTTPException (404) where there is no such regular file.
[[nodiscard]] BRIO_API Coro<Response> file_response(Request& request, std::string path,
                                                    ResponseOptions options = {});

}  // namespace brio::http
