#include "text/bert_words.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/utf8.h"
#include "text/character_class.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

using Piece = Pieces::Piece;

// The bits of kinds_.
constexpr uint8_t kEndsWord = 1, kIsMark = 2;

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// The number of ASCII characters that a text begins with.
size_t ascii_run(std::string_view text) {
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= text.size(); at += sizeof(uint64_t)) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data() + at, sizeof(bytes));
    if ((bytes & 0x8080808080808080u) != 0) break;
  }
  while (at < text.size() && is_ascii(text[at])) ++at;
  return at;
}

uint8_t kind_of(uint32_t code_point) {
  if ((properties(code_point) & kSpace) != 0) return kEndsWord;
  if ((character_class(code_point) & kPunctuation) != 0) return kEndsWord | kIsMark;
  return 0;
}

// Words and punctuation as the characters that end words come by.
class Collector {
 public:
  Collector(const Piece& whole, std::vector<Piece>& list)
      : list_(list), origin_(whole.at_origin ? whole.begin : kNowhere), begin_(whole.begin) {}

  // The character [at, next) ends a word. Writes both pieces and counts those that are there.
  void end_word(size_t at, size_t next, bool is_mark) {
    buffer_[count_] = {begin_, at, begin_ == origin_};
    count_ += begin_ < at ? 1 : 0;
    buffer_[count_] = {at, next, at == origin_};
    count_ += is_mark ? 1 : 0;
    begin_ = next;
    if (count_ + 2 > buffer_.size()) flush();
  }

  void finish(size_t end) {
    end_word(end, end, false);
    flush();
  }

 private:
  static constexpr size_t kNowhere = ~size_t{0};

  void flush() {
    list_.insert(list_.end(), buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(count_));
    count_ = 0;
  }

  std::vector<Piece>& list_;
  size_t origin_;  // where the whole input begins
  size_t begin_;   // of the word that has not ended
  size_t count_ = 0;
  std::array<Piece, 64> buffer_;
};

}  // namespace

BertWords::BertWords() {
  for (size_t byte = 0; byte < kinds_.size(); ++byte)
    kinds_[byte] = kind_of(static_cast<uint32_t>(byte));
}

BertWords::Block BertWords::block_of(std::string_view text) const {
  Block block;
  block.size = ascii_run(text.substr(0, kBlock));
  for (size_t i = 0; i < block.size; ++i) {
    const uint64_t kind = kinds_[static_cast<unsigned char>(text[i])];
    block.ends |= (kind & kEndsWord) << i;
    block.marks |= (kind >> 1) << i;
  }
  return block;
}

void BertWords::apply(Pieces& pieces) const {
  std::vector<Piece> list;
  list.reserve(pieces.text.size() / 4);
  const std::string_view text = pieces.text;
  for (const Piece& piece : pieces.list) {
    Collector words(piece, list);
    for (size_t at = piece.begin; at < piece.end;) {
      const Block block = block_of(text.substr(at, piece.end - at));
      for (uint64_t ends = block.ends; ends != 0; ends &= ends - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(ends));
        words.end_word(at + i, at + i + 1, (block.marks >> i & 1) != 0);
      }
      at += block.size;
      while (at < piece.end && !is_ascii(text[at])) {
        const utf8::Decoded decoded = utf8::decode(text.substr(at));
        const uint8_t kind = kind_of(decoded.code_point);
        if (kind != 0) words.end_word(at, at + decoded.length, (kind & kIsMark) != 0);
        at += decoded.length;
      }
    }
    words.finish(piece.end);
  }
  pieces.list = std::move(list);
}

}  // namespace bittern::text
