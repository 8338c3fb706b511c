// Cryptographic digests of bytes as they stream by (OpenSSL's, behind this header).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

struct evp_md_ctx_st;

namespace bittern {

class Digest {
 public:
  enum class Kind { sha256, sha1 };

  explicit Digest(Kind kind);
  void update(Bytes bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  // The digest of everything so far in lower-case hexadecimal; call once, at the end.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// The SHA-256 of one text, as hex() gives it.
std::string sha256_hex(std::string_view text);

// Length of hex() for each kind.
inline constexpr size_t kSha256HexLength = 64;
inline constexpr size_t kSha1HexLength = 40;

// Whether a text is `length` lower-case hexadecimal digits.
bool is_hex(std::string_view text, size_t length);

}  // namespace bittern
