#include "get/retry.hpp"

#include <brio/http/errors.hpp>

#include <algorithm>
#include <cerrno>

#include <netdb.h>

namespace brio::cli {

bool may_retry_status(int status) noexcept {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504;
}

namespace {

bool may_retry_errno(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case EADDRNOTAVAIL:
    case EAGAIN:
    case ENOBUFS: return true;
    default: return false;
  }
}

}  // namespace

bool may_retry(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const http::ClientConnectorCertificateError&) {
    return false;
  } catch (const http::ClientConnectorDNSError& e) {
    return e.error_number() == EAI_AGAIN;  // no name server answered
  } catch (const http::ClientConnectorSSLError&) {
    return true;
  } catch (const http::ClientConnectorError& e) {
    return may_retry_errno(e.error_number());
  } catch (const http::ServerConnectionError&) {
    return true;
  } catch (const http::PayloadTooLarge&) {
    return false;
  } catch (const http::ClientPayloadError&) {
    return true;
  } catch (const http::ClientOSError& e) {
    return may_retry_errno(e.error_number());
  } catch (const TimeoutError&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::optional<std::chrono::milliseconds> retry_delay(const RetryPolicy& policy, int attempt,
                                                     double random,
                                                     std::optional<std::chrono::seconds> asked) {
  if (attempt > policy.retries) return std::nullopt;
  if (asked && *asked > policy.longest_asked) return std::nullopt;
  std::chrono::milliseconds nominal = policy.base;
  for (int i = 1; i < attempt && nominal < policy.longest; ++i) nominal *= 2;
  nominal = std::min(nominal, policy.longest);
  const std::chrono::duration<double, std::milli> spread = nominal * (0.5 + random / 2);
  auto delay = std::chrono::ceil<std::chrono::milliseconds>(spread);
  if (asked) delay = std::max(delay, std::chrono::milliseconds(*asked));
  return delay;
}

}  // namespace brio::cli
