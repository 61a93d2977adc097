#include <brio/http/redirect.hpp>

#include <vector>

namespace brio::http {

std::optional<RedirectPlan> plan_redirect(const RequestHead& request,
                                          const ResponseHead& response) {
  const int status = response.status;
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) {
    return std::nullopt;
  }
  const auto location = response.headers.get("Location");
  if (!location) return std::nullopt;
  URL target = request.url.join(*location);
  if (!target.raw_fragment() && request.url.raw_fragment()) {
    target = target.with_fragment(*request.url.raw_fragment());
  }
  RedirectPlan plan{.url = std::move(target), .method = request.method};
  const bool to_get = (status == 303 && request.method != "HEAD") ||
                      ((status == 301 || status == 302) && request.method == "POST");
  if (to_get) plan.method = "GET";
  plan.drops_body = to_get;
  plan.crosses_origin = !plan.url.same_origin(request.url);
  return plan;
}

void strip_for_redirect(Headers& headers, const RedirectPlan& plan) {
  if (plan.crosses_origin) {
    for (const char* name : {"Authorization", "Cookie", "Proxy-Authorization", "Host"}) {
      headers.remove(name);
    }
  }
  if (plan.drops_body) {
    std::vector<std::string> names;
    for (const Header field : headers) {
      if (iequals(field.name.substr(0, 8), "content-")) {
        names.emplace_back(field.name);
      }
    }
    for (const std::string& name : names) headers.remove(name);
    headers.remove("Transfer-Encoding");
  }
}

}  // namespace brio::http
