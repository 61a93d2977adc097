#include <brio/tls/certificate.hpp>

#include <brio/tls/error.hpp>
#include <brio/tls/openssl.hpp>
#include <brio/tls/reasons.hpp>
#include <brio/tls/x509.hpp>

#include <arpa/inet.h>

namespace brio::tls::detail {

namespace {
std::string name_text(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string serial_text(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Freer<&BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (!number) return {};
  const std::unique_ptr<char, FreeOpenSSL> text(BN_bn2hex(number.get()));
  return text ? std::string(text.get()) : std::string();
}

std::time_t time_value(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

std::string_view string_view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string ip_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() == 4) inet_ntop(AF_INET, bytes.data(), text, sizeof text);
  if (bytes.size() == 16) inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}
}  // namespace

Certificate describe_certificate(x509_st* certificate) {
  Certificate result;
  result.subject = name_text(X509_get_subject_name(certificate));
  result.issuer = name_text(X509_get_issuer_name(certificate));
  result.serial_number = serial_text(certificate);
  result.not_before = time_value(X509_get0_notBefore(certificate));
  result.not_after = time_value(X509_get0_notAfter(certificate));
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      result.dns_names.emplace_back(string_view_of(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      result.ip_addresses.push_back(ip_text(string_view_of(name->d.iPAddress)));
    }
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size > 0) {
    result.der.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
  }
  return result;
}

std::string take_error_reason(int* code) {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (code != nullptr) *code = ERR_GET_REASON(error);
  if (error == 0) return "unknown reason";
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? std::string(reason) : "error " + std::to_string(error);
}

void throw_queued_error(const std::string& operation, std::string_view hint) {
  const bool ours = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL;
  int code = 0;
  std::string reason = take_error_reason(&code);
  std::string text = operation + " failed: " + reason;
  if (hint.empty() && ours) hint = explain_reason(code);
  if (!hint.empty()) text += " (" + std::string(hint) + ")";
  throw SSLError(code, std::move(reason), std::move(text));
}

X509StackPtr parse_certificates(std::string_view pem, const std::string& source) {
  X509StackPtr stack(sk_X509_new_null());
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!stack || !bio) throw std::bad_alloc();
  ERR_clear_error();
  for (;;) {
    X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (sk_X509_push(stack.get(), certificate.get()) == 0) throw std::bad_alloc();
    [[maybe_unused]] const X509* const kept = certificate.release();  // the stack owns it
  }
  const unsigned long error = ERR_peek_last_error();
  const bool end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!end) throw_queued_error("reading a certificate" + source);
  if (sk_X509_num(stack.get()) == 0)
    throw_queued_error("reading a certificate" + source, "there is none in it");
  ERR_clear_error();
  return stack;
}

}  // namespace brio::tls::detail
