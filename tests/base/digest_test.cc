#include "base/digest.h"

#include <gtest/gtest.h>

namespace bittern {
namespace {

std::string digest_of(Digest::Kind kind, std::string_view text) {
  Digest digest(kind);
  digest.update(text);
  return digest.hex();
}

// Examples of FIPS 180-4 (SHA-256, SHA-1: "abc" and the two-block message).
TEST(DigestTest, TheStandardsExamples) {
  constexpr std::string_view kTwoBlocks =
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(digest_of(Digest::Kind::sha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(Digest::Kind::sha256, kTwoBlocks),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(Digest::Kind::sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest_of(Digest::Kind::sha1, kTwoBlocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

TEST(DigestTest, PiecesAreTheWhole) {
  Digest digest(Digest::Kind::sha256);
  digest.update("a");
  digest.update("");
  digest.update("bc");
  EXPECT_EQ(digest.hex(), digest_of(Digest::Kind::sha256, "abc"));
}

TEST(DigestTest, WhatIsHexadecimal) {
  EXPECT_TRUE(is_hex("0123456789abcdef", 16));
  EXPECT_FALSE(is_hex("0123456789abcde", 16));
  EXPECT_FALSE(is_hex("0123456789ABCDEF", 16));
  EXPECT_FALSE(is_hex("0123456789abcdeg", 16));
}

}  // namespace
}  // namespace bittern
