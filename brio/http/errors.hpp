// What the HTTP client throws: aiohttp's hierarchy and names.
//
// aiohttp's classes inherit twice (a ClientOSError is a ClientConnectionError and an OSError). In
// C++ two std::exception bases would make `catch (const std::exception&)` ambiguous, and so miss.
// Hence the classes that only group (ClientError, ClientConnectionError, ServerConnectionError,
// ClientSSLError) are plain mix-ins without std::exception, and each class that is thrown has
// exactly one std::exception base beside them. All of these catch as one would hope:
//   catch (const http::ClientError&), catch (const brio::OSError&), catch (const std::exception&).
#pragma once

#include <brio/core/exceptions.hpp>
#include <brio/http/headers.hpp>

#include <cstdint>
#include <string>

namespace brio::http {

/// Anything that goes wrong in the client (aiohttp.ClientError). Never thrown itself.
class BRIO_API ClientError {
public:
  /// The whole message.
  [[nodiscard]] virtual const char* what() const noexcept = 0;

protected:
  ClientError() = default;
  ClientError(const ClientError&) = default;
  ClientError& operator=(const ClientError&) = default;
  virtual ~ClientError();
};

/// Something about the connection (aiohttp.ClientConnectionError). Never thrown itself.
class BRIO_API ClientConnectionError : public ClientError {
protected:
  ~ClientConnectionError() override;
};

/// The server did something to the connection (aiohttp.ServerConnectionError).
class BRIO_API ServerConnectionError : public ClientConnectionError {
protected:
  ~ServerConnectionError() override;
};

/// A system error while connecting, sending or receiving (aiohttp.ClientOSError).
class BRIO_API ClientOSError : public OSError, public ClientConnectionError {
public:
  ClientOSError(std::error_code code, std::string whole_message);
  ClientOSError(const ClientOSError&) = default;
  ClientOSError& operator=(const ClientOSError&) = default;
  ~ClientOSError() override;
  [[nodiscard]] const char* what() const noexcept override { return OSError::what(); }
};

/// No connection could be made (aiohttp.ClientConnectorError); the message says to where and why.
class BRIO_API ClientConnectorError : public ClientOSError {
public:
  ClientConnectorError(std::string host, std::uint16_t port, std::error_code code,
                       const std::string& reason);
  ClientConnectorError(const ClientConnectorError&) = default;
  ClientConnectorError& operator=(const ClientConnectorError&) = default;
  ~ClientConnectorError() override;
  /// What was to be connected to.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  /// And its port.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
  std::string host_;
  std::uint16_t port_;
};

/// The host's name could not be resolved (aiohttp.ClientConnectorDNSError).
class BRIO_API ClientConnectorDNSError : public ClientConnectorError {
public:
  using ClientConnectorError::ClientConnectorError;
  ClientConnectorDNSError(const ClientConnectorDNSError&) = default;
  ClientConnectorDNSError& operator=(const ClientConnectorDNSError&) = default;
  ~ClientConnectorDNSError() override;
};

/// The TLS handshake failed (aiohttp.ClientConnectorSSLError).
class BRIO_API ClientConnectorSSLError : public ClientConnectorError {
public:
  using ClientConnectorError::ClientConnectorError;
  ClientConnectorSSLError(const ClientConnectorSSLError&) = default;
  ClientConnectorSSLError& operator=(const ClientConnectorSSLError&) = default;
  ~ClientConnectorSSLError() override;
};

/// The server's certificate was not accepted (aiohttp.ClientConnectorCertificateError).
class BRIO_API ClientConnectorCertificateError : public ClientConnectorSSLError {
public:
  using ClientConnectorSSLError::ClientConnectorSSLError;
  ClientConnectorCertificateError(const ClientConnectorCertificateError&) = default;
  ClientConnectorCertificateError& operator=(const ClientConnectorCertificateError&) = default;
  ~ClientConnectorCertificateError() override;
};

/// The server closed the connection before its answer (aiohttp.ServerDisconnectedError).
class BRIO_API ServerDisconnectedError : public std::runtime_error, public ServerConnectionError {
public:
  explicit ServerDisconnectedError(const std::string& message = "Server disconnected");
  ServerDisconnectedError(const ServerDisconnectedError&) = default;
  ServerDisconnectedError& operator=(const ServerDisconnectedError&) = default;
  ~ServerDisconnectedError() override;
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// A timeout of the session struck (aiohttp.ServerTimeoutError); a brio::TimeoutError as well.
class BRIO_API ServerTimeoutError : public TimeoutError, public ServerConnectionError {
public:
  explicit ServerTimeoutError(std::string message);
  ServerTimeoutError(const ServerTimeoutError&) = default;
  ServerTimeoutError& operator=(const ServerTimeoutError&) = default;
  ~ServerTimeoutError() override;
  [[nodiscard]] const char* what() const noexcept override { return TimeoutError::what(); }
};

/// ClientTimeout::connect or sock_connect passed (aiohttp.ConnectionTimeoutError).
class BRIO_API ConnectionTimeoutError : public ServerTimeoutError {
public:
  using ServerTimeoutError::ServerTimeoutError;
  ConnectionTimeoutError(const ConnectionTimeoutError&) = default;
  ConnectionTimeoutError& operator=(const ConnectionTimeoutError&) = default;
  ~ConnectionTimeoutError() override;
};

/// ClientTimeout::sock_read passed (aiohttp.SocketTimeoutError).
class BRIO_API SocketTimeoutError : public ServerTimeoutError {
public:
  using ServerTimeoutError::ServerTimeoutError;
  SocketTimeoutError(const SocketTimeoutError&) = default;
  SocketTimeoutError& operator=(const SocketTimeoutError&) = default;
  ~SocketTimeoutError() override;
};

/// The body is not what the head promised: cut short, malformed, undecodable
/// (aiohttp.ClientPayloadError).
class BRIO_API ClientPayloadError : public std::runtime_error, public ClientError {
public:
  explicit ClientPayloadError(const std::string& message);
  ClientPayloadError(const ClientPayloadError&) = default;
  ClientPayloadError& operator=(const ClientPayloadError&) = default;
  ~ClientPayloadError() override;
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// A body, decoded or not, is larger than its limit.
class BRIO_API PayloadTooLarge : public ClientPayloadError {
public:
  using ClientPayloadError::ClientPayloadError;
  PayloadTooLarge(const PayloadTooLarge&) = default;
  PayloadTooLarge& operator=(const PayloadTooLarge&) = default;
  ~PayloadTooLarge() override;
};

/// Not a URL that this client can use (aiohttp.InvalidURL); a ValueError as well.
class BRIO_API InvalidURL : public ValueError, public ClientError {
public:
  InvalidURL(std::string_view url, std::string_view why);
  InvalidURL(const InvalidURL&) = default;
  InvalidURL& operator=(const InvalidURL&) = default;
  ~InvalidURL() override;
  [[nodiscard]] const char* what() const noexcept override { return ValueError::what(); }
};

/// Bytes that are no HTTP message, or one that is over a limit (aiohttp's HttpProcessingError,
/// BadStatusLine, LineTooLong, …: `what()` tells them apart).
class BRIO_API BadHttpMessage : public std::runtime_error, public ClientError {
public:
  explicit BadHttpMessage(const std::string& message);
  BadHttpMessage(const BadHttpMessage&) = default;
  BadHttpMessage& operator=(const BadHttpMessage&) = default;
  ~BadHttpMessage() override;
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }
};

/// An answer that the caller did not want (aiohttp.ClientResponseError), from raise_for_status
/// and the redirect limit. The message is "404, message='Not Found', url='http://…'".
class BRIO_API ClientResponseError : public std::runtime_error, public ClientError {
public:
  ClientResponseError(std::string url, int status, std::string message, Headers headers = {});
  ClientResponseError(const ClientResponseError&) = default;
  ClientResponseError& operator=(const ClientResponseError&) = default;
  ~ClientResponseError() override;
  [[nodiscard]] const char* what() const noexcept override { return std::runtime_error::what(); }
  /// The status of the answer.
  [[nodiscard]] int status() const noexcept { return status_; }
  /// The reason phrase, or what was wrong.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  /// What was asked for.
  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  /// The headers of the answer.
  [[nodiscard]] const Headers& headers() const noexcept { return headers_; }

private:
  std::string url_;
  int status_;
  std::string message_;
  Headers headers_;
};

/// More redirects than max_redirects (aiohttp.TooManyRedirects).
class BRIO_API TooManyRedirects : public ClientResponseError {
public:
  using ClientResponseError::ClientResponseError;
  TooManyRedirects(const TooManyRedirects&) = default;
  TooManyRedirects& operator=(const TooManyRedirects&) = default;
  ~TooManyRedirects() override;
};

/// The server did not agree to a WebSocket (aiohttp.WSServerHandshakeError).
class BRIO_API WSServerHandshakeError : public ClientResponseError {
public:
  using ClientResponseError::ClientResponseError;
  WSServerHandshakeError(const WSServerHandshakeError&) = default;
  WSServerHandshakeError& operator=(const WSServerHandshakeError&) = default;
  ~WSServerHandshakeError() override;
};

}  // namespace brio::http
