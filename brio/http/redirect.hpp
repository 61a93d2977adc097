// What a redirect asks for (RFC 9110 §15.4), decided without I/O.
#pragma once

#include <brio/http/message.hpp>

#include <optional>
#include <string>

namespace brio::http {

/// The request that follows a redirect.
struct RedirectPlan {
  URL url;             ///< where to
  std::string method;  ///< and how
  /// The body must be left out, and its fields with it.
  bool drops_body = false;
  /// The target is another origin: credentials and a Host of the caller's own must not go along.
  bool crosses_origin = false;
};

/// What to ask for next, or nothing where `response` is no redirect (301, 302, 303, 307, 308 with
/// a Location). As browsers and aiohttp do: 303 turns all but HEAD into GET, 301 and 302 turn POST
/// into GET, 307 and 308 keep method and body. A Location without fragment inherits the request's.
/// Throws InvalidURL for a Location that is no http(s) URL.
[[nodiscard]] BRIO_API std::optional<RedirectPlan> plan_redirect(const RequestHead& request,
                                                                 const ResponseHead& response);

/// Takes out of `headers` what must not follow: on another origin Authorization, Cookie,
/// Proxy-Authorization and Host; without the body Content-* and Transfer-Encoding.
BRIO_API void strip_for_redirect(Headers& headers, const RedirectPlan& plan);

}  // namespace brio::http
