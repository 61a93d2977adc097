#include "get/retry.hpp"

#include <brio/http/errors.hpp>

#include <doctest/doctest.h>

#include <cerrno>

#include <netdb.h>

using namespace brio::cli;
using namespace std::chrono_literals;

namespace {

template <class Error>
bool worth(Error error) {
  return may_retry(std::make_exception_ptr(std::move(error)));
}

std::error_code code(int number) { return {number, std::generic_category()}; }

}  // namespace

TEST_CASE("statuses that may change") {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) CHECK(may_retry_status(status));
  for (const int status : {200, 301, 400, 401, 403, 404, 410, 416, 501, 505}) {
    CHECK_FALSE(may_retry_status(status));
  }
}

TEST_CASE("errors that may pass") {
  using namespace brio::http;
  CHECK(worth(ServerDisconnectedError()));
  CHECK(worth(SocketTimeoutError("x")));
  CHECK(worth(ConnectionTimeoutError("x")));
  CHECK(worth(ClientPayloadError("x")));
  CHECK(worth(brio::TimeoutError("x")));
  CHECK(worth(ClientConnectorError("h", 1, code(ECONNREFUSED), "x")));
  CHECK(worth(ClientOSError(code(ECONNRESET), "x")));
  CHECK(worth(ClientConnectorDNSError("h", 1, {EAI_AGAIN, std::generic_category()}, "x")));
  CHECK_FALSE(worth(ClientConnectorDNSError("h", 1, {EAI_NONAME, std::generic_category()}, "x")));
  CHECK_FALSE(worth(ClientConnectorCertificateError("h", 1, code(0), "x")));
  CHECK_FALSE(worth(ClientConnectorError("h", 1, code(EACCES), "x")));
  CHECK_FALSE(worth(PayloadTooLarge("x")));
  CHECK_FALSE(worth(InvalidURL("x", "y")));
  CHECK_FALSE(worth(BadHttpMessage("x")));
  CHECK_FALSE(worth(TooManyRedirects("x", 302, "y")));
  CHECK_FALSE(worth(brio::OSError(ENOSPC, "write")));
  CHECK_FALSE(worth(brio::CancelledError()));
  CHECK_FALSE(worth(std::bad_alloc()));
}

TEST_CASE("waits double, spread and end") {
  const RetryPolicy policy{.retries = 9, .base = 500ms, .longest = 30s, .longest_asked = 120s};
  CHECK(retry_delay(policy, 1, 0, {}) == 250ms);
  CHECK(retry_delay(policy, 1, 0.999999, {}) == 500ms);
  CHECK(retry_delay(policy, 2, 0.999999, {}) == 1'000ms);
  CHECK(retry_delay(policy, 5, 0.999999, {}) == 8'000ms);
  CHECK(retry_delay(policy, 9, 0.999999, {}) == 30'000ms);
  CHECK_FALSE(retry_delay(policy, 10, 0, {}).has_value());
  CHECK_FALSE(retry_delay({.retries = 0}, 1, 0, {}).has_value());
  CHECK(retry_delay({.retries = 2'000'000'000}, 1'000'000'000, 0.5, {}) == 22'500ms);
}

TEST_CASE("a server's Retry-After is a lower bound, up to a limit") {
  const RetryPolicy policy;
  CHECK(retry_delay(policy, 1, 0, 5s) == 5'000ms);
  CHECK(retry_delay(policy, 1, 0, 0s) == 250ms);
  CHECK(retry_delay(policy, 1, 0, 120s) == 120'000ms);
  CHECK_FALSE(retry_delay(policy, 1, 0, 121s).has_value());
}
