#include <brio/http/errors.hpp>

#include <brio/http/detail/text.hpp>

#include <utility>

namespace brio::http {
namespace {

// Never with a password, for an error's text goes to screens and logs; and not without end.
std::string shown(std::string_view url) {
  const std::string text = detail::without_credentials_unparsed(url);
  return text.size() > 200 ? text.substr(0, 200) + "…" : text;
}

}  // namespace

ClientError::~ClientError() = default;
ClientConnectionError::~ClientConnectionError() = default;
ServerConnectionError::~ServerConnectionError() = default;
ClientOSError::~ClientOSError() = default;
ClientConnectorError::~ClientConnectorError() = default;
ClientConnectorDNSError::~ClientConnectorDNSError() = default;
ClientConnectorSSLError::~ClientConnectorSSLError() = default;
ClientConnectorCertificateError::~ClientConnectorCertificateError() = default;
ServerDisconnectedError::~ServerDisconnectedError() = default;
ServerTimeoutError::~ServerTimeoutError() = default;
ConnectionTimeoutError::~ConnectionTimeoutError() = default;
SocketTimeoutError::~SocketTimeoutError() = default;
ClientPayloadError::~ClientPayloadError() = default;
PayloadTooLarge::~PayloadTooLarge() = default;
InvalidURL::~InvalidURL() = default;
BadHttpMessage::~BadHttpMessage() = default;
ClientResponseError::~ClientResponseError() = default;
TooManyRedirects::~TooManyRedirects() = default;
WSServerHandshakeError::~WSServerHandshakeError() = default;

ClientOSError::ClientOSError(std::error_code code, std::string whole_message)
    : OSError(code, std::move(whole_message)) {}

ClientConnectorError::ClientConnectorError(std::string host, std::uint16_t port,
                                           std::error_code code, const std::string& reason)
    : ClientOSError(code, "Cannot connect to host " + host + ":" + std::to_string(port) + " [" +
                              reason + "]"),
      host_(std::move(host)),
      port_(port) {}

ServerDisconnectedError::ServerDisconnectedError(const std::string& message)
    : std::runtime_error(message) {}

ServerTimeoutError::ServerTimeoutError(std::string message) : TimeoutError(std::move(message)) {}

ClientPayloadError::ClientPayloadError(const std::string& message) : std::runtime_error(message) {}

InvalidURL::InvalidURL(std::string_view url, std::string_view why)
    : ValueError("invalid URL '" + shown(url) + "': " + std::string(why)) {}

BadHttpMessage::BadHttpMessage(const std::string& message) : std::runtime_error(message) {}

ClientResponseError::ClientResponseError(std::string url, int status, std::string message,
                                         Headers headers)
    : std::runtime_error(std::to_string(status) + ", message='" + message + "', url='" + url + "'"),
      url_(std::move(url)),
      status_(status),
      message_(std::move(message)),
      headers_(std::move(headers)) {}

}  // namespace brio::http
