#include <brio/http/router.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/url.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

namespace brio::http {
namespace {

// The part of `path` up to the next '/', taken off it together with that.
std::string_view next_part(std::string_view& path, bool& last) {
  const std::size_t slash = path.find('/');
  last = slash == std::string_view::npos;
  const std::string_view part = path.substr(0, slash);
  path.remove_prefix(last ? path.size() : slash + 1);
  return part;
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

}  // namespace

class Router::Tree {
public:
  struct Node {
    std::map<std::string, Node, std::less<>> literal;
    std::unique_ptr<Node> any;   // {name}
    std::unique_ptr<Node> rest;  // {name:*}
    // Where a route ends: its handlers by method, and the names of its parts.
    std::map<std::string, Handler, std::less<>> handlers;
    std::vector<std::string> names;

    [[nodiscard]] const Handler* find(std::string_view method) const {
      auto found = handlers.find(method);
      if (found == handlers.end() && method == "HEAD") found = handlers.find("GET");
      if (found == handlers.end()) found = handlers.find("*");
      return found == handlers.end() ? nullptr : &found->second;
    }
    [[nodiscard]] std::string allowed() const {
      std::string text;
      const auto add = [&text](std::string_view method) {
        if (!text.empty()) text += ", ";
        text += method;
      };
      for (const auto& [method, handler] : handlers) add(method);
      if (handlers.contains("GET") && !handlers.contains("HEAD")) add("HEAD");
      if (!handlers.contains("OPTIONS")) add("OPTIONS");
      return text;
    }
  };

  bool in_use = false;

  void add(std::string_view method, std::string_view path, Handler handler) {
    if (in_use) throw RuntimeError("the router is in use already");
    const std::string whole(path);
    if (path.empty() || path.front() != '/') throw ValueError("a route begins with '/': " + whole);
    if (method != "*" && !is_token(method)) throw ValueError("invalid method in a route");
    if (!handler) throw ValueError("a route needs a handler: " + whole);
    path.remove_prefix(1);
    Node* node = &root_;
    std::vector<std::string> names;
    bool last = false;
    while (!last) {
      const std::string_view part = next_part(path, last);
      if (part.find_first_of("{}") == std::string_view::npos) {
        node = &node->literal[percent_decode(part)];
        continue;
      }
      if (part.size() < 3 || part.front() != '{' || part.back() != '}') {
        throw ValueError("a route's part is text or {name}: " + whole);
      }
      std::string_view name = part.substr(1, part.size() - 2);
      const bool rest = name.ends_with(":*");
      if (rest) name.remove_suffix(2);
      const bool word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
               (c >= 'A' && c <= 'Z');
      });
      if (!word) throw ValueError("invalid name in a route: " + whole);
      if (rest && !last) throw ValueError("{name:*} comes last in a route: " + whole);
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        throw ValueError("a name stands twice in a route: " + whole);
      }
      names.emplace_back(name);
      std::unique_ptr<Node>& next = rest ? node->rest : node->any;
      if (!next) next = std::make_unique<Node>();
      node = next.get();
    }
    if (!node->handlers.empty() && node->names != names) {
      throw ValueError("a route with other names stands already: " + whole);
    }
    if (!node->handlers.try_emplace(std::string(method), std::move(handler)).second) {
      throw ValueError("the route stands already: " + std::string(method) + " " + whole);
    }
    node->names = std::move(names);
    if (node->names.empty()) literals_[whole] = node;
  }

  [[nodiscard]] BRIO_CORO_WRAPPER Coro<Response> dispatch(Request& request) const {
    std::vector<std::string> values;
    const Node* node = find(request.raw_path(), values);
    if (node == nullptr) throw HTTPException(404);
    const Handler* handler = node->find(request.method());
    if (handler == nullptr) throw not_allowed(*node, request.method());
    if (!values.empty()) {
      Pairs pairs;
      for (std::size_t at = 0; at < values.size(); ++at) {
        pairs.emplace_back(node->names[at], std::move(values[at]));
      }
      request.set_match_info(std::move(pairs));
    }
    return (*handler)(request);
  }

private:
  static HTTPException not_allowed(const Node& node, std::string_view method) {
    return HTTPException(method == "OPTIONS" ? 204 : 405, {}, {{"Allow", node.allowed()}});
  }

  // The node of a path, and what its parts matched.
  [[nodiscard]] const Node* find(std::string_view path, std::vector<std::string>& values) const {
    // Most paths have neither escapes nor parts with names.
    if (const auto found = literals_.find(path); found != literals_.end()) return found->second;
    if (path.empty() || path.front() != '/') return nullptr;
    return walk(root_, path.substr(1), values);
  }

  // A pattern is no deeper than its '/', so the walk is bounded by the routes, not by the path.
  static const Node* walk(const Node& node, std::string_view path,
                          std::vector<std::string>& values) {
    bool last = false;
    std::string_view behind = path;
    const std::string part = percent_decode(next_part(behind, last));
    const auto go = [&](const Node& next) -> const Node* {
      if (last) return next.handlers.empty() ? nullptr : &next;
      return walk(next, behind, values);
    };
    if (const auto found = node.literal.find(part); found != node.literal.end()) {
      if (const Node* end = go(found->second)) return end;
    }
    const std::size_t depth = values.size();
    if (node.any && !part.empty()) {
      values.push_back(part);
      if (const Node* end = go(*node.any)) return end;
      values.resize(depth);
    }
    if (node.rest) {
      values.push_back(percent_decode(path));
      return node.rest.get();
    }
    return nullptr;
  }

  Node root_;
  // Whole paths without names, as they stand in a request.
  std::unordered_map<std::string, const Node*, TextHash, std::equal_to<>> literals_;
};

Router::Router() : tree_(std::make_shared<Tree>()) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

void Router::add_route(std::string_view method, std::string_view path, Handler handler) {
  tree_->add(method, path, std::move(handler));
}

void Router::add_middleware(Middleware middleware) {
  middlewares_.push_back(std::move(middleware));
}

Handler Router::handler() const {
  tree_->in_use = true;
  Handler chain = [tree = tree_](Request& request) { return tree->dispatch(request); };
  for (auto at = middlewares_.rbegin(); at != middlewares_.rend(); ++at) {
    chain = [middleware = *at, next = std::move(chain)](Request& request) {
      return middleware(request, next);
    };
  }
  return chain;
}

}  // namespace brio::http
