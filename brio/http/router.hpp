// Which handler answers which path (aiohttp's UrlDispatcher).
#pragma once

#include <brio/http/server.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http {

/// Stands around a handler: `next(request)` goes on, and what it gives may be changed. A cheap copy
/// of the handlers behind it; kept by the router.
using Middleware = std::function<Coro<Response>(Request&, const Handler& next)>;

/// Routes by method and path.
///
///     Router router;
///     router.add_get("/", index);
///     router.add_get("/users/{name}", user);          // request.match_info("name")
///     router.add_get("/files/{path:*}", files);       // the rest of the path, '/' included
///     Server server(router.handler());
///
/// A literal part wins over a `{name}` in its place, and that over a `{name:*}`, whatever the order
/// of adding. A part matches what stands between two '/', decoded, and never the empty text. HEAD
/// is answered by GET's handler where it has none of its own. Another path is 404; another method
/// 405 with Allow, or for OPTIONS 204 with it.
class BRIO_API Router {
public:
  Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;
  ~Router();

  /// Has `handler` answer `method` on `path`; "*" is any method. Throws ValueError for a path that
  /// does not begin with '/' or has a malformed part, and for a route that stands already,
  /// RuntimeError once handler() was called.
  void add_route(std::string_view method, std::string_view path, Handler handler);
  /// GET, and HEAD with it
  void add_get(std::string_view path, Handler handler) {
    add_route("GET", path, std::move(handler));
  }
  /// POST
  void add_post(std::string_view path, Handler handler) {
    add_route("POST", path, std::move(handler));
  }
  /// PUT
  void add_put(std::string_view path, Handler handler) {
    add_route("PUT", path, std::move(handler));
  }
  /// PATCH
  void add_patch(std::string_view path, Handler handler) {
    add_route("PATCH", path, std::move(handler));
  }
  /// DELETE
  void add_delete(std::string_view path, Handler handler) {
    add_route("DELETE", path, std::move(handler));
  }
  /// Puts a middleware around all routes, 404 and 405 included. The first one added is the
  /// outermost.
  void add_middleware(Middleware middleware);

  /// The handler for a Server. The router itself may go.
  [[nodiscard]] Handler handler() const;

private:
  class Tree;
  std::shared_ptr<Tree> tree_;
  std::vector<Middleware> middlewares_;
};

}  // namespace brio::http
