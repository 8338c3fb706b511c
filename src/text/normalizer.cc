#include "text/normalizer.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/character_class.h"
#include "text/charsmap.h"
#include "text/nfc.h"
#include "text/regex.h"
#include "text/sentencepiece_normalizer.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

using Stage = Normalizer::Stage;

// Calls `visit(code_point, bytes)` for each character of valid UTF-8.
template <typename Visit>
void each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const utf8::Decoded decoded = utf8::decode(text);
    visit(decoded.code_point, text.substr(0, decoded.length));
    text.remove_prefix(decoded.length);
  }
}

// A text as a function of the text that leaves its first character's origin alone.
class Rewrite final : public Stage {
 public:
  explicit Rewrite(std::string (*function)(std::string_view)) : function_(function) {}
  void apply(std::string& text, bool&) const override { text = function_(text); }

 private:
  std::string (*function_)(std::string_view);
};

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](uint32_t c, std::string_view) { append_lowercase(out, c); });
  return out;
}

std::string byte_level(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 2);
  for (const char c : text) utf8::append(out, alphabet_of_byte(static_cast<unsigned char>(c)));
  return out;
}

// Leaves characters out or puts others in their place, one by one.
class Filter : public Stage {
 public:
  void apply(std::string& text, bool& at_origin) const final {
    std::string out;
    out.reserve(text.size());
    bool first = true;
    each_character(text, [&](uint32_t c, std::string_view bytes) {
      const bool kept = keep(c);
      if (kept) append(out, c, bytes);
      if (first && !kept) at_origin = false;
      first = false;
    });
    text = std::move(out);
  }

 private:
  virtual bool keep(uint32_t code_point) const = 0;
  virtual void append(std::string& out, uint32_t, std::string_view bytes) const { out += bytes; }
};

class StripAccents final : public Filter {
  bool keep(uint32_t c) const override { return (character_class(c) & kCombining) == 0; }
};

class DropNonspacing final : public Filter {
  bool keep(uint32_t c) const override { return (character_class(c) & kNonspacing) == 0; }
};

class Nmt final : public Filter {
  bool keep(uint32_t c) const override {
    return !((c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
             c == 0x8f || c == 0x9f);
  }
  void append(std::string& out, uint32_t c, std::string_view bytes) const override {
    const bool space = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                       (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xfeff || c == 0xfffd;
    if (space) {
      out += ' ';
    } else {
      out += bytes;
    }
  }
};

class BertClean final : public Filter {
  bool keep(uint32_t c) const override {
    return c != 0 && c != 0xfffd && (character_class(c) & kControl) == 0;
  }
  void append(std::string& out, uint32_t c, std::string_view bytes) const override {
    if (properties(c) & kSpace) {
      out += ' ';
    } else {
      out += bytes;
    }
  }
};

// The blocks that BERT calls Chinese; the gap before U+2B920 is the reference's.
bool is_chinese(uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

std::string space_chinese(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  each_character(text, [&](uint32_t c, std::string_view bytes) {
    const bool chinese = is_chinese(c);
    if (chinese) out += ' ';
    out += bytes;
    if (chinese) out += ' ';
  });
  return out;
}

class Strip final : public Stage {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  void apply(std::string& text, bool& at_origin) const override {
    size_t begin = text.size(), end = 0;  // of what lies between the first and last non-space
    for (size_t at = 0; at < text.size();) {
      const utf8::Decoded decoded = utf8::decode(std::string_view(text).substr(at));
      const size_t next = at + decoded.length;
      if ((properties(decoded.code_point) & kSpace) == 0) {
        begin = std::min(begin, at);
        end = next;
      }
      at = next;
    }
    if (!left_) begin = 0;
    if (!right_) end = text.size();
    if (begin > 0) at_origin = false;
    text = begin < end ? text.substr(begin, end - begin) : std::string();
  }

 private:
  bool left_, right_;
};

class Prepend final : public Stage {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(std::string& text, bool&) const override {
    if (!text.empty()) text.insert(0, prefix_);
  }

 private:
  std::string prefix_;
};

// The first character of a replacement stems from the last one that it replaces.
class Replace : public Stage {
 public:
  explicit Replace(std::string content) : content_(std::move(content)) {}

  void apply(std::string& text, bool& at_origin) const final {
    const std::vector<Regex::Match> matches = find(text);
    if (matches.empty()) return;
    const Regex::Match& first = matches.front();
    if (first.begin == 0 && first.end > 0) {
      const bool one_character = utf8::decode(text).length == first.end;
      if (!one_character || content_.empty()) at_origin = false;
    }
    std::string out;
    size_t done = 0;
    for (const Regex::Match& match : matches) {
      out.append(text, done, match.begin - done);
      out += content_;
      done = match.end;
    }
    out.append(text, done);
    text = std::move(out);
  }

 private:
  virtual std::vector<Regex::Match> find(std::string_view text) const = 0;
  std::string content_;
};

class ReplaceText final : public Replace {
 public:
  ReplaceText(std::string pattern, std::string content)
      : Replace(std::move(content)), pattern_(std::move(pattern)) {}

 private:
  std::vector<Regex::Match> find(std::string_view text) const override {
    return find_literal(text, pattern_);
  }
  std::string pattern_;
};

class ReplaceRegex final : public Replace {
 public:
  ReplaceRegex(const std::string& pattern, std::string content, std::string_view source)
      : Replace(std::move(content)), regex_(pattern, source) {}

 private:
  std::vector<Regex::Match> find(std::string_view text) const override {
    return regex_.find_all(text);
  }
  Regex regex_;
};

// A charsmap as tokenizer.json applies it: a grapheme cluster shorter than six bytes is looked up
// as a whole (and, by the shortest rule it begins with, replaced as a whole), else each character.
class Precompiled final : public Stage {
 public:
  Precompiled(std::string_view blob, std::string_view source) : map_(blob, source) {}

  void apply(std::string& text, bool&) const override {
    constexpr size_t kClusterBytes = 6;
    std::string out;
    out.reserve(text.size());
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view cluster = rest.substr(0, first_grapheme(rest));
      rest.remove_prefix(cluster.size());
      if (cluster.size() < kClusterBytes) {
        if (const Charsmap::Match match = map_.shortest(cluster); match.length > 0) {
          out += match.replacement;
          continue;
        }
      }
      each_character(cluster, [&](uint32_t, std::string_view bytes) {
        const Charsmap::Match match = map_.shortest(bytes);
        out += match.length > 0 ? match.replacement : bytes;
      });
    }
    text = std::move(out);
  }

 private:
  Charsmap map_;
};

// BERT's normaliser. Each of its steps looks at one ASCII character at a time, so that together
// they are a table for runs of them; and none looks across the ends of such a run (accents do not
// move past a letter), so that the runs between them go through the steps one by one.
class Bert final : public Stage {
 public:
  explicit Bert(const BertOptions& options) {
    if (options.clean_text) stages_.push_back(std::make_unique<BertClean>());
    if (options.chinese_chars) stages_.push_back(std::make_unique<Rewrite>(space_chinese));
    if (options.strip_accents) {
      stages_.push_back(std::make_unique<Rewrite>(to_nfd));
      stages_.push_back(std::make_unique<DropNonspacing>());
    }
    if (options.lowercase) stages_.push_back(std::make_unique<Rewrite>(lowercase));
    for (size_t byte = 0; byte < ascii_.size(); ++byte) {
      std::string text(1, static_cast<char>(byte));
      bool at_origin = true;
      apply_stages(text, at_origin);
      ascii_[byte] = text.empty() ? kDropped : text.front();
    }
  }

  void apply(std::string& text, bool& at_origin) const override {
    std::string out;
    out.reserve(text.size() + 16);
    for (std::string_view rest = text; !rest.empty();) {
      const bool first = rest.size() == text.size();
      const size_t ascii = ascii_run(rest);
      if (ascii > 0 && first && mapped(rest.front()) == kDropped) at_origin = false;
      append_ascii(rest.substr(0, ascii), out);
      rest.remove_prefix(ascii);
      if (rest.empty()) break;
      bool not_first = false;
      std::string run(rest.substr(0, other_run(rest)));
      rest.remove_prefix(run.size());
      apply_stages(run, first && ascii == 0 ? at_origin : not_first);
      out += run;
    }
    text = std::move(out);
  }

 private:
  static constexpr char kDropped = '\x80';  // no ASCII

  static bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
  char mapped(char c) const { return ascii_[static_cast<unsigned char>(c)]; }

  static size_t ascii_run(std::string_view text) {
    return static_cast<size_t>(std::ranges::find_if_not(text, is_ascii) - text.begin());
  }

  // Up to where enough ASCII begins that it is worth another run.
  static size_t other_run(std::string_view text) {
    constexpr size_t kWorth = 8;
    size_t at = 0;
    while (at < text.size()) {
      const size_t ascii = ascii_run(text.substr(at, kWorth));
      if (ascii == kWorth) break;
      at += ascii;
      while (at < text.size() && !is_ascii(text[at])) ++at;
    }
    return at;
  }

  // Appends what becomes of ASCII characters.
  void append_ascii(std::string_view text, std::string& out) const {
    size_t size = out.size();
    out.resize(size + text.size());
    for (const char c : text) {
      out[size] = mapped(c);
      size += mapped(c) != kDropped ? 1 : 0;
    }
    out.resize(size);
  }

  void apply_stages(std::string& text, bool& at_origin) const {
    for (const auto& stage : stages_) stage->apply(text, at_origin);
  }

  std::vector<std::unique_ptr<Stage>> stages_;
  std::array<char, 128> ascii_{};
};

std::unique_ptr<Stage> make_stage(const NormalizerStep& step, const VocabSpec& spec) {
  using enum NormalizerKind;
  switch (step.kind) {
    case nfc:
      return std::make_unique<Rewrite>(to_nfc);
    case nfd:
      return std::make_unique<Rewrite>(to_nfd);
    case nfkc:
      return std::make_unique<Rewrite>(to_nfkc);
    case nfkd:
      return std::make_unique<Rewrite>(to_nfkd);
    case lowercase:
      return std::make_unique<Rewrite>(text::lowercase);
    case byte_level:
      return std::make_unique<Rewrite>(text::byte_level);
    case strip:
      return std::make_unique<Strip>(step.left, step.right);
    case strip_accents:
      return std::make_unique<StripAccents>();
    case nmt:
      return std::make_unique<Nmt>();
    case replace_text:
      return std::make_unique<ReplaceText>(step.pattern, step.content);
    case replace_regex:
      return std::make_unique<ReplaceRegex>(step.pattern, step.content, spec.source);
    case prepend:
      return std::make_unique<Prepend>(step.content);
    case precompiled:
      return std::make_unique<Precompiled>(step.content, spec.source);
    case sentencepiece:
      return std::make_unique<SentencePieceNormalizer>(step, spec);
    case bert:
      return std::make_unique<Bert>(step.bert);
  }
  return nullptr;
}

}  // namespace

Normalizer::Normalizer(const VocabSpec& spec) {
  for (const NormalizerStep& step : spec.normalizers) {
    stages_.push_back(make_stage(step, spec));
  }
}

Normalizer::~Normalizer() = default;

void Normalizer::apply(std::string& text, bool& at_origin) const {
  for (const auto& stage : stages_) stage->apply(text, at_origin);
}

std::string Normalizer::applied(std::string_view text) const {
  std::string out(text);
  bool at_origin = true;
  apply(out, at_origin);
  return out;
}

}  // namespace bittern::text
