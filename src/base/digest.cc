#include "base/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace bittern {

void Digest::Free::operator()(evp_md_ctx_st* context) const { ::EVP_MD_CTX_free(context); }

Digest::Digest(Kind kind) : context_(::EVP_MD_CTX_new()) {
  const EVP_MD* algorithm = kind == Kind::sha256 ? ::EVP_sha256() : ::EVP_sha1();
  if (!context_ || ::EVP_DigestInit_ex(context_.get(), algorithm, nullptr) != 1)
    fail(ErrorKind::unsupported, "this system's OpenSSL offers no {}",
         kind == Kind::sha256 ? "SHA-256" : "SHA-1");
}

void Digest::update(Bytes bytes) {
  if (::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
    fail(ErrorKind::internal, "digest of {} bytes failed", bytes.size());
}

std::string Digest::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned length = 0;
  if (::EVP_DigestFinal_ex(context_.get(), value.data(), &length) != 1)
    fail(ErrorKind::internal, "digest could not be finished");
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", value[i]);
  return text;
}

std::string sha256_hex(std::string_view text) {
  Digest digest(Digest::Kind::sha256);
  digest.update(text);
  return digest.hex();
}

bool is_hex(std::string_view text, size_t length) {
  return text.size() == length && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace bittern
