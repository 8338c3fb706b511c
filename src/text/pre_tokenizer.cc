#include "text/pre_tokenizer.h"

#include "base/utf8.h"
#include "text/bert_words.h"
#include "text/byte_alphabet.h"
#include "text/character_class.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/split_spans.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

using Stage = PreTokenizer::Stage;

// Stages that only cut.
class Cutting : public Stage {
 public:
  void apply(Pieces& pieces) const final {
    std::vector<Pieces::Piece> list;
    list.reserve(pieces.list.size());
    for (const Pieces::Piece& piece : pieces.list)
      for (const Span& span : cut(pieces.view(piece)))
        if (span.begin < span.end)
          list.push_back({piece.begin + span.begin, piece.begin + span.end,
                          piece.at_origin && span.begin == 0});
    pieces.list = std::move(list);
  }

 private:
  virtual std::vector<Span> cut(std::string_view text) const = 0;
};

// Each character of a class is a match of its own.
template <typename Belongs>
std::vector<Span> spans_of_characters(std::string_view text, Belongs belongs) {
  std::vector<Span> spans;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const utf8::Decoded decoded = utf8::decode(text.substr(at));
    const size_t next = at + decoded.length;
    if (belongs(decoded.code_point)) {
      if (done < at) spans.push_back({done, at, false});
      spans.push_back({at, next, true});
      done = next;
    }
    at = next;
  }
  if (done < text.size()) spans.push_back({done, text.size(), false});
  return spans;
}

bool is_space(uint32_t c) { return (properties(c) & kSpace) != 0; }
bool is_number(uint32_t c) { return (properties(c) & kDigit) != 0; }
bool is_punctuation(uint32_t c) { return (character_class(c) & kPunctuation) != 0; }

class AtCharacters final : public Cutting {
 public:
  AtCharacters(bool (*belongs)(uint32_t), SplitBehavior behavior)
      : belongs_(belongs), behavior_(behavior) {}

 private:
  std::vector<Span> cut(std::string_view text) const override {
    return pieces_of(spans_of_characters(text, belongs_), behavior_);
  }
  bool (*belongs_)(uint32_t);
  SplitBehavior behavior_;
};

// Matches of a text or an expression, and the gaps between them.
class AtPattern : public Cutting {
 public:
  AtPattern(SplitBehavior behavior, bool invert) : behavior_(behavior), invert_(invert) {}

 protected:
  virtual std::vector<Regex::Match> find(std::string_view text) const = 0;

 private:
  std::vector<Span> cut(std::string_view text) const override {
    std::vector<Span> spans;
    size_t done = 0;
    for (const Regex::Match& match : find(text)) {
      if (done < match.begin) spans.push_back({done, match.begin, invert_});
      spans.push_back({match.begin, match.end, !invert_});
      done = match.end;
    }
    if (done < text.size()) spans.push_back({done, text.size(), invert_});
    return pieces_of(std::move(spans), behavior_);
  }
  SplitBehavior behavior_;
  bool invert_;
};

class AtRegex final : public AtPattern {
 public:
  AtRegex(const PreTokenizerStep& step, std::string_view source)
      : AtPattern(step.behavior, step.invert), regex_(step.pattern, source) {}

 private:
  std::vector<Regex::Match> find(std::string_view text) const override {
    return regex_.find_all(text);
  }
  Regex regex_;
};

class AtText final : public AtPattern {
 public:
  explicit AtText(const PreTokenizerStep& step)
      : AtPattern(step.behavior, step.invert), pattern_(step.pattern) {}

 private:
  std::vector<Regex::Match> find(std::string_view text) const override {
    return find_literal(text, pattern_);
  }
  std::string pattern_;
};

// A scanner of the split table: its pieces are matches and leave no gap.
class AtScanner final : public AtPattern {
 public:
  AtScanner(const Split& split, SplitBehavior behavior, bool invert)
      : AtPattern(behavior, invert), split_(split) {}

 private:
  std::vector<Regex::Match> find(std::string_view text) const override {
    std::vector<Regex::Match> matches;
    for (size_t at = 0; at < text.size();) {
      const size_t length = split_.first_piece(text.substr(at));
      matches.push_back({at, at + length});
      at += length;
    }
    return matches;
  }
  const Split& split_;
};

// \w+|[^\w\s]+
class WordsAndOthers final : public Cutting {
  std::vector<Span> cut(std::string_view text) const override {
    const auto kind_at = [&](size_t at, size_t& length) -> int {
      const utf8::Decoded decoded = utf8::decode(text.substr(at));
      length = decoded.length;
      const Properties bits = properties(decoded.code_point);
      return (bits & kWord) != 0 ? 1 : (bits & kSpace) != 0 ? 0 : 2;
    };
    std::vector<Span> spans;
    int last = 0;
    size_t length = 0;
    for (size_t at = 0; at < text.size(); at += length) {
      const int kind = kind_at(at, length);
      if (kind != 0 && kind == last) {
        spans.back().end = at + length;
      } else if (kind != 0) {
        spans.push_back({at, at + length, true});
      }
      last = kind;
    }
    return spans;
  }
};

// Cuts where the script changes. What stands before the first character of a script is dropped,
// as in the reference.
class Scripts final : public Cutting {
  std::vector<Span> cut(std::string_view text) const override {
    constexpr int kNoScript = -1, kAny = 0;
    std::vector<Span> spans;
    int last = kNoScript;
    for (size_t at = 0; at < text.size();) {
      const utf8::Decoded decoded = utf8::decode(text.substr(at));
      const int script = script_of(decoded.code_point);
      if (script != kAny && script != last) {
        if (!spans.empty()) spans.back().end = at;
        spans.push_back({at, text.size(), true});
      }
      if (script != kAny) last = script;
      at += decoded.length;
    }
    return spans;
  }
};

class FixedLength final : public Cutting {
 public:
  explicit FixedLength(int64_t length) : length_(length) {}

 private:
  std::vector<Span> cut(std::string_view text) const override {
    std::vector<Span> spans;
    int64_t count = 0;
    for (size_t at = 0; at < text.size(); ++count) {
      if (count % length_ == 0) spans.push_back({at, at, true});
      at += utf8::decode(text.substr(at)).length;
      spans.back().end = at;
    }
    return spans;
  }
  int64_t length_;
};

class CharDelimiter final : public Cutting {
 public:
  explicit CharDelimiter(std::string_view delimiter)
      : delimiter_(utf8::decode(delimiter).code_point) {}

 private:
  std::vector<Span> cut(std::string_view text) const override {
    return pieces_of(spans_of_characters(text, [&](uint32_t c) { return c == delimiter_; }),
                     SplitBehavior::removed);
  }
  uint32_t delimiter_;
};

// Stages that write each piece anew and cut what they wrote.
class Rewriting : public Stage {
 public:
  void apply(Pieces& pieces) const final {
    Pieces out;
    out.text.reserve(pieces.text.size() * 2);
    for (const Pieces::Piece& piece : pieces.list)
      rewrite(pieces.view(piece), piece.at_origin, out);
    pieces = std::move(out);
  }

 private:
  // Appends to text and list.
  virtual void rewrite(std::string_view text, bool at_origin, Pieces& out) const = 0;
};

class ByteLevel final : public Rewriting {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex)
      : add_prefix_space_(add_prefix_space),
        split_(use_regex ? find_split(kByteLevelSplit) : nullptr) {}

 private:
  void rewrite(std::string_view text, bool at_origin, Pieces& out) const override {
    std::string prefixed;
    if (add_prefix_space_ && !text.starts_with(' ')) {
      prefixed = ' ';
      prefixed += text;
      text = prefixed;
    }
    while (!text.empty()) {
      const size_t length = split_ == nullptr ? text.size() : split_->first_piece(text);
      const size_t begin = out.text.size();
      for (const char c : text.substr(0, length))
        utf8::append(out.text, alphabet_of_byte(static_cast<unsigned char>(c)));
      out.list.push_back({begin, out.text.size(), at_origin});
      at_origin = false;
      text.remove_prefix(length);
    }
  }
  bool add_prefix_space_;
  const Split* split_;
};

class Metaspace final : public Rewriting {
 public:
  explicit Metaspace(const PreTokenizerStep& step)
      : replacement_(step.pattern), prepend_(step.prepend), split_(step.split) {}

 private:
  void rewrite(std::string_view text, bool at_origin, Pieces& out) const override {
    const size_t begin = out.text.size();
    const bool has_one = text.starts_with(' ') || text.starts_with(replacement_);
    const bool wanted = prepend_ == Prepend::always || (prepend_ == Prepend::first && at_origin);
    if (wanted && !has_one) out.text += replacement_;
    for (const char c : text) {
      if (c == ' ') {
        out.text += replacement_;
      } else {
        out.text += c;
      }
    }
    if (!split_) {
      out.list.push_back({begin, out.text.size(), at_origin});
      return;
    }
    const uint32_t replacement = utf8::decode(replacement_).code_point;
    const std::string_view written = std::string_view(out.text).substr(begin);
    const auto spans = spans_of_characters(written, [&](uint32_t c) { return c == replacement; });
    for (const Span& span : pieces_of(spans, SplitBehavior::merged_with_next))
      out.list.push_back({begin + span.begin, begin + span.end, at_origin && span.begin == 0});
  }
  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

std::unique_ptr<Stage> make_regex_split(const PreTokenizerStep& step, std::string_view source) {
  const std::string_view row = split_name_for_regex(step.pattern);
  if (const Split* split = row.empty() ? nullptr : find_split(row))
    return std::make_unique<AtScanner>(*split, step.behavior, step.invert);
  return std::make_unique<AtRegex>(step, source);
}

void add_stages(const PreTokenizerStep& step, std::string_view source,
                std::vector<std::unique_ptr<Stage>>& stages) {
  const auto at_characters = [&](bool (*belongs)(uint32_t), SplitBehavior behavior) {
    stages.push_back(std::make_unique<AtCharacters>(belongs, behavior));
  };
  using enum PreTokenizerKind;
  switch (step.kind) {
    case split_text:
      stages.push_back(std::make_unique<AtText>(step));
      break;
    case split_regex:
      stages.push_back(make_regex_split(step, source));
      break;
    case byte_level:
      stages.push_back(std::make_unique<ByteLevel>(step.add_prefix_space, step.use_regex));
      break;
    case metaspace:
      stages.push_back(std::make_unique<Metaspace>(step));
      break;
    case whitespace:
      stages.push_back(std::make_unique<WordsAndOthers>());
      break;
    case whitespace_split:
      at_characters(is_space, SplitBehavior::removed);
      break;
    case char_delimiter:
      stages.push_back(std::make_unique<CharDelimiter>(step.pattern));
      break;
    case digits:
      at_characters(is_number,
                    step.individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
      break;
    case punctuation:
      at_characters(is_punctuation, step.behavior);
      break;
    case bert:
      stages.push_back(std::make_unique<BertWords>());
      break;
    case unicode_scripts:
      stages.push_back(std::make_unique<Scripts>());
      break;
    case fixed_length:
      stages.push_back(std::make_unique<FixedLength>(step.length));
      break;
  }
}

}  // namespace

PreTokenizer::PreTokenizer(const VocabSpec& spec) {
  for (const PreTokenizerStep& step : spec.pre_tokenizers) add_stages(step, spec.source, stages_);
}

PreTokenizer::~PreTokenizer() = default;

Pieces PreTokenizer::apply(std::string_view text, bool at_origin) const {
  Pieces pieces;
  if (text.empty()) return pieces;
  pieces.text = text;
  pieces.list.push_back({0, text.size(), at_origin});
  for (const auto& stage : stages_) stage->apply(pieces);
  return pieces;
}

}  // namespace bittern::text
