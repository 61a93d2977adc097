// SSLContext: certificates, keys and whom to trust.
#include <brio/tls/chain.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/openssl.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace brio::tls {

namespace {
using detail::throw_queued_error;

std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, detail::Freer<&std::fclose>> file(
      std::fopen(path.c_str(), "rbe"));
  if (!file) throw_oserror(errno, "open '" + path + "'");
  std::string content;
  char chunk[8192];
  std::size_t count = 0;
  while ((count = std::fread(chunk, 1, sizeof chunk, file.get())) > 0) {
    content.append(chunk, count);
  }
  if (std::ferror(file.get()) != 0) throw_oserror(errno, "read '" + path + "'");
  return content;
}

// OpenSSL asks here for a key's password; without one it would ask on the terminal.
int give_password(char* buffer, int size, int /*writing*/, void* user) {
  const auto& password = *static_cast<const std::string*>(user);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}
}  // namespace

std::unique_ptr<SSLContext::Chain> SSLContext::parse_chain(std::string_view certificates,
                                                           std::string_view key,
                                                           const std::string& password,
                                                           const std::string& certificate_source,
                                                           const std::string& key_source) {
  ERR_clear_error();
  auto chain = std::make_unique<Chain>();
  chain->rest = detail::parse_certificates(certificates, certificate_source);
  chain->leaf.reset(sk_X509_shift(chain->rest.get()));
  const detail::BioPtr bio(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
  if (!bio) throw std::bad_alloc();
  chain->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_password,
                                           const_cast<std::string*>(&password)));
  if (!chain->key) {
    const unsigned long error = ERR_peek_last_error();
    const bool none =
        ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    const bool locked = key.find("ENCRYPTED") != std::string_view::npos;
    throw_queued_error("reading a private key" + key_source, locked && password.empty()
                                                                 ? "it needs a password"
                                                             : locked ? "the password may be wrong"
                                                             : none   ? "there is none in it"
                                                                      : "");
  }
  if (X509_check_private_key(chain->leaf.get(), chain->key.get()) != 1) {
    throw_queued_error("loading the certificate" + certificate_source,
                       "the private key" + (key_source == certificate_source ? "" : key_source) +
                           " is not this certificate's");
  }
  return chain;
}

void SSLContext::use_chain(std::unique_ptr<Chain> chain, bool alone) {
  // In one step, so that a live context never has a new certificate with the old key.
  if (SSL_CTX_use_cert_and_key(context_, chain->leaf.get(), chain->key.get(), chain->rest.get(),
                               1) != 1) {
    throw_queued_error("loading a certificate and its key");
  }
  const int kind = EVP_PKEY_get_base_id(chain->key.get());
  std::erase_if(chains_, [kind](const std::unique_ptr<Chain>& old) {
    return EVP_PKEY_get_base_id(old->key.get()) == kind;
  });
  if (alone && !chains_.empty()) {
    stale_chains_ = true;
    chains_.clear();
  }
  chains_.push_back(std::move(chain));
}

void SSLContext::apply_chains(ssl_st* ssl) const {
  if (!stale_chains_) return;
  SSL_certs_clear(ssl);
  for (const std::unique_ptr<Chain>& chain : chains_) {
    if (SSL_use_cert_and_key(ssl, chain->leaf.get(), chain->key.get(), chain->rest.get(), 1) != 1) {
      throw_queued_error("loading a certificate and its key");
    }
  }
}

void SSLContext::load_files(const std::string& certfile, const std::string& keyfile,
                            const std::string& password, bool alone) {
  const std::string certificates = read_file(certfile);
  const std::string key = keyfile.empty() ? certificates : read_file(keyfile);
  use_chain(parse_chain(certificates, key, password, " from '" + certfile + "'",
                        " from '" + (keyfile.empty() ? certfile : keyfile) + "'"),
            alone);
}

void SSLContext::load_cert_chain(const std::string& certfile, const std::string& keyfile,
                                 const std::string& password) {
  load_files(certfile, keyfile, password, false);
}

void SSLContext::reload_cert_chain(const std::string& certfile, const std::string& keyfile,
                                   const std::string& password) {
  load_files(certfile, keyfile, password, true);
}

void SSLContext::load_cert_chain_pem(std::string_view certificates, std::string_view key,
                                     const std::string& password) {
  use_chain(parse_chain(certificates, key.empty() ? certificates : key, password, "", ""), false);
}

void SSLContext::reload_cert_chain_pem(std::string_view certificates, std::string_view key,
                                       const std::string& password) {
  use_chain(parse_chain(certificates, key.empty() ? certificates : key, password, "", ""), true);
}

void SSLContext::load_verify_locations(const VerifyLocations& locations) {
  if (locations.cafile.empty() && locations.capath.empty() && locations.cadata.empty()) {
    throw TypeError("cafile, capath and cadata cannot be all omitted");
  }
  ERR_clear_error();
  if (!locations.cafile.empty()) {
    (void)read_file(locations.cafile);  // a missing file is an OSError that names it
    if (SSL_CTX_load_verify_file(context_, locations.cafile.c_str()) != 1) {
      throw_queued_error("loading certificates from '" + locations.cafile + "'");
    }
  }
  if (!locations.capath.empty() &&
      SSL_CTX_load_verify_dir(context_, locations.capath.c_str()) != 1) {
    throw_queued_error("loading certificates from '" + locations.capath + "'");
  }
  if (!locations.cadata.empty()) {
    const detail::X509StackPtr certificates = detail::parse_certificates(locations.cadata);
    X509_STORE* store = SSL_CTX_get_cert_store(context_);
    for (int i = 0; i < sk_X509_num(certificates.get()); ++i) {
      if (X509_STORE_add_cert(store, sk_X509_value(certificates.get(), i)) != 1) {
        throw_queued_error("loading a trusted certificate");
      }
    }
  }
}

}  // namespace brio::tls
