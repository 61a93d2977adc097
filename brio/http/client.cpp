#include <brio/http/client.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/detail/exchange.hpp>
#include <brio/http/detail/response_state.hpp>
#include <brio/http/detail/text.hpp>
#include <brio/http/redirect.hpp>

#include <algorithm>
#include <utility>

namespace brio::http {

RequestBody RequestBody::stream(Stream make, std::optional<std::uint64_t> length) {
  RequestBody body;
  body.stream_ = std::move(make);
  body.length_ = length;
  body.present_ = true;
  return body;
}

std::string BasicAuth::encode() const {
  if (login.find(':') != std::string::npos) throw ValueError("a login must not contain ':'");
  return "Basic " + detail::base64(login + ":" + password);
}

namespace detail {

namespace {

constexpr std::string_view user_agent = "brio/0.1";
// What a redirect's body may hold for its connection to be worth keeping.
constexpr std::size_t worth_draining = 64 * 1024;

bool expects_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

// A streamed body on its way; an error of the stream fails the exchange with it.
Coro<> send_stream(std::shared_ptr<Exchange> exchange, RequestBody body) {
  try {
    const AsyncGenerator<std::string> stream = body.stream_factory()();
    while (auto part = co_await stream.next()) {
      exchange->send_body(*part);
      co_await exchange->drain();
    }
    exchange->end_body();
  } catch (const std::exception&) {
    exchange->abort(std::current_exception());
  }
}

// Reads a body away, so that its connection can be used for what comes next.
Coro<> read_away(std::shared_ptr<Exchange> exchange) {
  while (!exchange->finished()) {
    const std::string part = co_await exchange->read_body();
    if (part.empty()) co_return;
  }
}

}  // namespace

class SessionState {
public:
  explicit SessionState(ClientSessionOptions options) : options_(std::move(options)) {
    if (!options_.connector) {
      options_.connector = std::make_shared<TCPConnector>();
      options_.connector_owner = true;
    }
    if (!options_.cookie_jar) options_.cookie_jar = std::make_shared<CookieJar>();
  }

  static Coro<ClientResponse> request(std::shared_ptr<SessionState> self, std::string method,
                                      std::string url, RequestOptions options);

  const ClientSessionOptions& options() const noexcept { return options_; }
  bool closed_ = false;

private:
  struct Sent {
    std::shared_ptr<Exchange> exchange;
    ResponseHead head;
    // The streamed body's task; ends when the exchange does.
    Task<> writer;
  };

  URL resolve(const std::string& url, const RequestOptions& options) const;
  RequestHead make_head(std::string method, URL url, const RequestOptions& options) const;
  void add_credentials(RequestHead& head, const std::optional<BasicAuth>& given) const;
  RequestHead with_cookies(const RequestHead& head, const Pairs& own) const;
  static Coro<Sent> exchange_once(std::shared_ptr<Exchange> exchange, const RequestHead& head,
                                  const RequestBody& body);
  static Coro<Sent> send(std::shared_ptr<SessionState> self, const RequestHead& head,
                         const RequestBody& body, std::shared_ptr<const net::TLSContext> ssl,
                         ClientTimeout timeout, std::optional<TimePoint> total);
  ClientResponse respond(Sent sent, const RequestHead& head, std::vector<RedirectStep> history,
                         bool decompress) const;

  ClientSessionOptions options_;
};

URL SessionState::resolve(const std::string& url, const RequestOptions& options) const {
  const URL resolved = options_.base_url ? options_.base_url->join(url) : URL(url);
  return resolved.extend_query(options.params);
}

void SessionState::add_credentials(RequestHead& head, const std::optional<BasicAuth>& given) const {
  std::optional<BasicAuth> auth = given;
  if (const auto user = head.url.user()) {
    if (auth) throw ValueError("credentials both in the URL and as an argument");
    auth = BasicAuth{*user, head.url.password().value_or("")};
    head.url = head.url.without_userinfo();
  } else if (!auth && !head.headers.contains("Authorization")) {
    auth = options_.auth;
  }
  if (!auth) return;
  if (head.headers.contains("Authorization")) {
    throw ValueError("credentials both in an Authorization header and elsewhere");
  }
  head.headers.add("Authorization", auth->encode());
}

RequestHead SessionState::make_head(std::string method, URL url,
                                    const RequestOptions& options) const {
  if (!is_token(method)) throw ValueError("invalid method '" + method + "'");
  RequestHead head{std::move(method), std::move(url), options_.headers};
  head.headers.update(options.headers);
  head.headers.setdefault("Accept", "*/*");
  const bool decompress = options.auto_decompress.value_or(options_.auto_decompress);
  head.headers.setdefault("Accept-Encoding",
                          decompress ? ContentDecoder::accept_encoding : "identity");
  head.headers.setdefault("User-Agent", user_agent);
  if (options.data.present()) {
    head.headers.setdefault("Content-Type", "application/octet-stream");
  }
  add_credentials(head, options.auth);
  return head;
}

// What goes out: a Cookie field of the program's own stands first, then its cookies, then the
// jar's.
RequestHead SessionState::with_cookies(const RequestHead& head, const Pairs& own) const {
  RequestHead outgoing = head;
  std::string text(head.headers.get("Cookie", ""));
  const auto add = [&text](const std::string& name, const std::string& value) {
    if (!text.empty()) text += "; ";
    if (!name.empty()) text += name + "=";
    text += value;
  };
  for (const auto& [name, value] : own) {
    if (!is_token(name) || value.find(';') != std::string::npos) {
      throw ValueError("cookie '" + name + "' cannot be sent");
    }
    add(name, value);
  }
  for (const Cookie& cookie : options_.cookie_jar->filter_cookies(head.url)) {
    const bool replaced = std::any_of(own.begin(), own.end(),
                                      [&](const auto& pair) { return pair.first == cookie.name; });
    if (!replaced) add(cookie.name, cookie.value);
  }
  if (!text.empty()) outgoing.headers.set("Cookie", text);
  return outgoing;
}

Coro<SessionState::Sent> SessionState::exchange_once(std::shared_ptr<Exchange> exchange,
                                                     const RequestHead& head,
                                                     const RequestBody& body) {
  BodyKind kind{.present = body.present(), .length = {}};
  if (kind.present) kind.length = body.length();
  if (!kind.present && expects_body(head.method)) kind = {.present = true, .length = 0};
  exchange->send_head(head, kind);
  Sent sent{exchange, {}, {}};
  if (body.stream_factory()) {
    sent.writer = create_task(send_stream(exchange, body));
  } else {
    exchange->send_body(body.bytes());
    exchange->end_body();
  }
  struct Stop {
    Task<>& writer;
    bool armed = true;
    ~Stop() {
      if (armed && writer) writer.cancel();
    }
  } stop{sent.writer};
  sent.head = co_await exchange->read_head();
  stop.armed = false;
  co_return sent;
}

Coro<SessionState::Sent> SessionState::send(std::shared_ptr<SessionState> self,
                                            const RequestHead& head, const RequestBody& body,
                                            std::shared_ptr<const net::TLSContext> ssl,
                                            ClientTimeout timeout, std::optional<TimePoint> total) {
  const ConnectTimeouts connect{
      .total = total, .connect = timeout.connect, .sock_connect = timeout.sock_connect};
  for (bool again = true;; again = false) {
    // Named, for the destination holds strings and the awaited object a reference.
    Destination destination{.url = head.url, .ssl = ssl, .fresh = !again};
    const std::shared_ptr<Exchange> exchange =
        co_await self->options_.connector->open(std::move(destination), connect);
    exchange->set_deadlines({.total = total, .sock_read = timeout.sock_read});
    Outcome<Sent> outcome = co_await as_outcome(exchange_once(exchange, head, body));
    // The server may have closed the idle connection while the request was on its way.
    const bool stale = again && !outcome.has_value() && !outcome.cancelled() &&
                       exchange->failed_stale() && is_idempotent(head.method);
    if (!stale) co_return std::move(outcome).value();
  }
}

ClientResponse SessionState::respond(Sent sent, const RequestHead& head,
                                     std::vector<RedirectStep> history, bool decompress) const {
  const std::string coding(sent.head.headers.get("Content-Encoding", ""));
  auto state = std::make_shared<ResponseState>(head.method, head.url, std::move(sent.head));
  state->history = std::move(history);
  state->max_read_size = options_.max_read_size;
  std::optional<ContentDecoder> decoder;
  if (decompress && ContentDecoder::supports(coding)) {
    decoder.emplace(coding, options_.decoder_limits);
  }
  state->attach(std::move(sent.exchange), std::move(decoder), std::move(sent.writer));
  return ClientResponse(std::move(state));
}

Coro<ClientResponse> SessionState::request(std::shared_ptr<SessionState> self, std::string method,
                                           std::string url, RequestOptions options) {
  if (self->closed_) throw RuntimeError("Session is closed");
  const ClientTimeout timeout = options.timeout.value_or(self->options_.timeout);
  std::optional<TimePoint> total;
  if (timeout.total) total = brio::detail::deadline_after(*timeout.total);
  RequestHead head = self->make_head(std::move(method), self->resolve(url, options), options);
  const bool follow = options.allow_redirects.value_or(head.method != "HEAD");
  std::vector<RedirectStep> history;
  while (true) {
    const RequestHead outgoing = self->with_cookies(head, options.cookies);
    Sent sent = co_await send(self, outgoing, options.data, options.ssl, timeout, total);
    self->options_.cookie_jar->update_cookies_from_headers(sent.head.headers, head.url);
    std::optional<RedirectPlan> plan;
    if (follow) plan = plan_redirect(head, sent.head);
    if (!plan) {
      const bool decompress = options.auto_decompress.value_or(self->options_.auto_decompress);
      ClientResponse response =
          self->respond(std::move(sent), head, std::move(history), decompress);
      if (options.raise_for_status.value_or(self->options_.raise_for_status)) {
        response.raise_for_status();
      }
      co_return response;
    }
    history.push_back({head.url, std::move(sent.head)});
    if (options.max_redirects > 0 &&
        history.size() >= static_cast<std::size_t>(options.max_redirects)) {
      const bool circle =
          std::any_of(history.begin(), history.end(),
                      [&](const RedirectStep& step) { return step.url == plan->url; });
      throw TooManyRedirects(history.front().url.str(), history.back().head.status,
                             circle ? "redirects in a circle" : "too many redirects",
                             history.back().head.headers);
    }
    if (sent.exchange->content_length().value_or(worth_draining + 1) <= worth_draining) {
      const Outcome<> drained = co_await as_outcome(read_away(sent.exchange));
      // A body that breaks off costs the connection, which goes with the exchange; no more.
      if (drained.cancelled()) drained.raise();
    }
    if (sent.writer) sent.writer.cancel();
    strip_for_redirect(head.headers, *plan);
    if (plan->crosses_origin) options.cookies.clear();
    if (plan->drops_body) options.data = {};
    if (plan->url.raw_user()) head.headers.remove("Authorization");
    head.method = plan->method;
    head.url = plan->url;
    if (head.url.raw_user()) self->add_credentials(head, std::nullopt);
  }
}

}  // namespace detail

// ---- ClientSession

ClientSession::ClientSession(ClientSessionOptions options)
    : state_(std::make_shared<detail::SessionState>(std::move(options))) {}

ClientSession::~ClientSession() = default;

BRIO_CORO_WRAPPER Coro<ClientResponse> ClientSession::request(std::string method, StrOrURL url,
                                                              RequestOptions options) const {
  return detail::SessionState::request(state_, std::move(method), url.text(), std::move(options));
}

namespace {
Coro<> close_session(std::shared_ptr<detail::SessionState> state) {
  state->closed_ = true;
  if (state->options().connector_owner) co_await state->options().connector->close();
}
}  // namespace

BRIO_CORO_WRAPPER Coro<> ClientSession::close() const { return close_session(state_); }

bool ClientSession::closed() const noexcept { return state_->closed_; }

const std::shared_ptr<CookieJar>& ClientSession::cookie_jar() const noexcept {
  return state_->options().cookie_jar;
}

const std::shared_ptr<BaseConnector>& ClientSession::connector() const noexcept {
  return state_->options().connector;
}

}  // namespace brio::http
