#include <brio/http/websocket_handshake.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/detail/random.hpp>
#include <brio/http/detail/sha1.hpp>
#include <brio/http/detail/text.hpp>

#include <algorithm>
#include <utility>

namespace brio::http {
namespace {

constexpr std::string_view deflate_name = "permessage-deflate";

struct Parameter {
  std::string name;
  std::optional<std::string> value;
};
struct Extension {
  std::string name;
  std::vector<Parameter> parameters;
};

// Sec-WebSocket-Extensions (RFC 6455 §9.1): extension *( "," extension ), each a token with
// parameters behind ';'. Empty elements are skipped, as in any list of HTTP.
class ExtensionParser {
public:
  explicit ExtensionParser(std::string_view text) : text_(text) {}

  void parse(std::vector<Extension>& out) {
    while (true) {
      skip_blanks();
      if (text_.empty()) return;
      if (take(',')) continue;
      Extension extension{.name = token(), .parameters = {}};
      while (take(';')) extension.parameters.push_back(parameter());
      out.push_back(std::move(extension));
      if (!text_.empty() && !take(',')) bad();
    }
  }

private:
  [[noreturn]] static void bad() { throw ValueError("invalid Sec-WebSocket-Extensions"); }

  void skip_blanks() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size()));
  }
  bool take(char c) {
    skip_blanks();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::string token() {
    skip_blanks();
    const std::string_view found = text_.substr(0, text_.find_first_of(" \t,;=\""));
    if (!is_token(found)) bad();
    text_.remove_prefix(found.size());
    return std::string(found);
  }
  // What is quoted must be a token as well (RFC 6455 §9.1), so there is nothing to unescape.
  std::string quoted() {
    const std::string_view inside = text_.substr(0, text_.find('"'));
    if (inside.size() == text_.size() || !is_token(inside)) bad();
    text_.remove_prefix(inside.size() + 1);
    return std::string(inside);
  }
  Parameter parameter() {
    Parameter found{.name = token(), .value = {}};
    if (take('=')) found.value = take('"') ? quoted() : token();
    return found;
  }

  std::string_view text_;
};

std::vector<Extension> extensions_of(const Headers& headers) {
  std::vector<Extension> found;
  for (const std::string_view text : headers.getall("Sec-WebSocket-Extensions")) {
    ExtensionParser(text).parse(found);
  }
  return found;
}

// The parameters of permessage-deflate, in an offer or an answer.
struct DeflateTerms {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_window_bits;
  std::optional<int> client_window_bits;  // an offer without a value: 15
};

std::optional<int> window_bits(const std::optional<std::string>& text) {
  // No sign, no leading zero (RFC 7692 §7.1.2.1).
  if (!text || text->empty() || text->size() > 2) return std::nullopt;
  if (!std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '9'; }) ||
      text->front() == '0') {
    return std::nullopt;
  }
  const int bits = std::stoi(*text);
  return bits >= 8 && bits <= 15 ? std::optional(bits) : std::nullopt;
}

// Nothing for unknown, repeated or bad parameters.
std::optional<DeflateTerms> terms_of(const Extension& extension, bool offer) {
  DeflateTerms terms;
  const auto flag = [](bool& seen, const Parameter& parameter) {
    return !std::exchange(seen, true) && !parameter.value;
  };
  for (const Parameter& parameter : extension.parameters) {
    if (parameter.name == "server_no_context_takeover") {
      if (!flag(terms.server_no_context_takeover, parameter)) return std::nullopt;
    } else if (parameter.name == "client_no_context_takeover") {
      if (!flag(terms.client_no_context_takeover, parameter)) return std::nullopt;
    } else if (parameter.name == "server_max_window_bits") {
      if (terms.server_window_bits) return std::nullopt;
      terms.server_window_bits = window_bits(parameter.value);
      if (!terms.server_window_bits) return std::nullopt;
    } else if (parameter.name == "client_max_window_bits") {
      if (terms.client_window_bits) return std::nullopt;
      terms.client_window_bits =
          offer && !parameter.value ? std::optional(15) : window_bits(parameter.value);
      if (!terms.client_window_bits) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return terms;
}

std::string with_bits(std::string_view name, int bits) {
  return std::string("; ") + std::string(name) + "=" + std::to_string(bits);
}

void check(const WSDeflateOptions& wanted) {
  const auto between = [](int value, int low, int high, const char* what) {
    if (value < low || value > high) {
      throw ValueError(std::string(what) + " must be " + std::to_string(low) + " to " +
                       std::to_string(high));
    }
  };
  between(wanted.window_bits, 8, 15, "window_bits");
  between(wanted.peer_window_bits, 8, 15, "peer_window_bits");
  between(wanted.level, 1, 9, "level");
  between(wanted.mem_level, 1, 9, "mem_level");
}

std::string_view without_port(std::string_view authority, std::string_view port) {
  return authority.ends_with(port) ? authority.substr(0, authority.size() - port.size())
                                   : authority;
}

}  // namespace

std::string websocket_key() { return detail::base64(detail::random_bytes(16)); }

bool is_websocket_key(std::string_view key) noexcept {
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_digit);
}

std::string websocket_accept(std::string_view key) {
  return detail::base64(detail::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

std::vector<std::string> list_of_tokens(const Headers& headers, std::string_view name) {
  std::vector<std::string> found;
  for (std::string_view text : headers.getall(name)) {
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      std::string_view item = text.substr(0, comma);
      text.remove_prefix(std::min(comma + 1, text.size()));
      item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
      item = item.substr(0, item.find_last_not_of(" \t") + 1);
      if (!item.empty()) found.emplace_back(item);
    }
  }
  return found;
}

std::optional<DeflateAnswer> answer_deflate(const Headers& request,
                                            const WSDeflateOptions& wanted) {
  check(wanted);
  for (const Extension& offer : extensions_of(request)) {
    if (!iequals(offer.name, deflate_name)) continue;
    const auto terms = terms_of(offer, true);
    if (!terms) continue;
    DeflateAnswer answer{.params = {}, .field = std::string(deflate_name)};
    WSDeflateParams& params = answer.params;
    params.send_no_context_takeover =
        terms->server_no_context_takeover || wanted.no_context_takeover;
    params.receive_no_context_takeover =
        terms->client_no_context_takeover || wanted.peer_no_context_takeover;
    params.send_window_bits = std::min(wanted.window_bits, terms->server_window_bits.value_or(15));
    if (terms->client_window_bits) {
      params.receive_window_bits = std::min(wanted.peer_window_bits, *terms->client_window_bits);
    }
    if (params.send_no_context_takeover) answer.field += "; server_no_context_takeover";
    if (params.receive_no_context_takeover) answer.field += "; client_no_context_takeover";
    // Told only where it was asked for: any larger window reads what a smaller one wrote.
    if (terms->server_window_bits) {
      answer.field += with_bits("server_max_window_bits", params.send_window_bits);
    }
    if (terms->client_window_bits && params.receive_window_bits < 15) {
      answer.field += with_bits("client_max_window_bits", params.receive_window_bits);
    }
    return answer;
  }
  return std::nullopt;
}

std::string offer_deflate(const WSDeflateOptions& wanted) {
  check(wanted);
  std::string offer(deflate_name);
  if (wanted.peer_no_context_takeover) offer += "; server_no_context_takeover";
  if (wanted.no_context_takeover) offer += "; client_no_context_takeover";
  if (wanted.peer_window_bits < 15) {
    offer += with_bits("server_max_window_bits", wanted.peer_window_bits);
  }
  return offer + "; client_max_window_bits";
}

std::optional<WSDeflateParams> agree_deflate(const Headers& response,
                                             const std::optional<WSDeflateOptions>& wanted) {
  const std::vector<Extension> extensions = extensions_of(response);
  if (extensions.empty()) return std::nullopt;
  if (!wanted || extensions.size() > 1 || !iequals(extensions.front().name, deflate_name)) {
    throw ValueError("the server chose an extension that was not offered");
  }
  const auto terms = terms_of(extensions.front(), false);
  if (!terms) throw ValueError("invalid parameters of permessage-deflate");
  const bool takes_over = wanted->peer_no_context_takeover && !terms->server_no_context_takeover;
  if (takes_over || terms->server_window_bits.value_or(15) > wanted->peer_window_bits) {
    throw ValueError("the server did not take the terms of permessage-deflate");
  }
  return WSDeflateParams{
      .send_window_bits = std::min(wanted->window_bits, terms->client_window_bits.value_or(15)),
      .receive_window_bits = terms->server_window_bits.value_or(15),
      .send_no_context_takeover = wanted->no_context_takeover || terms->client_no_context_takeover,
      .receive_no_context_takeover = terms->server_no_context_takeover};
}

bool is_same_origin(std::string_view origin, std::string_view host, bool secure) {
  const std::size_t slashes = origin.find("://");
  if (slashes == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, slashes);
  const bool https = iequals(scheme, "https");
  if (!https && (secure || !iequals(scheme, "http"))) return false;
  const std::string_view port = https ? ":443" : ":80";
  const std::string_view authority = without_port(origin.substr(slashes + 3), port);
  return !authority.empty() && iequals(authority, without_port(host, port));
}

}  // namespace brio::http
