#include "text/decoder.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/regex.h"
#include "text/tokenizer.h"
#include "text/vocab_index.h"

namespace bittern::text {
namespace {

using Next = DecodeChain::Next;
using Options = DecodeChain::Options;
using Stage = DecodeChain::Stage;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kSpaceSymbol = "\xe2\x96\x81";  // U+2581

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = from.empty() ? std::string::npos : text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t done = 0;
  for (; at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done);
    out += to;
    done = at + from.size();
  }
  out.append(text, done);
  text = std::move(out);
}

class ByteLevel final : public Stage {
 public:
  void push(int32_t id, std::string text, const Next& next) override {
    const auto bytes = bytes_of_alphabet(text);
    next(id, stream_.push(bytes ? *bytes : text));
  }
  void finish(const Next& next) override { next(-1, stream_.finish()); }

 private:
  StreamDecoder stream_;
};

// In the first token every replacement character disappears.
class Metaspace final : public Stage {
 public:
  Metaspace(const DecoderStep& step, bool fused, bool mid_text)
      : replacement_(step.pattern),
        keep_first_(step.prepend == Prepend::never),
        fused_(fused),
        first_(!mid_text) {}

  void push(int32_t id, std::string text, const Next& next) override {
    replace_all(text, replacement_, first_ && !keep_first_ ? "" : " ");
    if (!fused_) first_ = false;
    next(id, std::move(text));
  }

 private:
  std::string replacement_;
  bool keep_first_, fused_, first_;
};

class ByteFallback final : public Stage {
 public:
  explicit ByteFallback(bool eager) : eager_(eager) {}

  void push(int32_t id, std::string text, const Next& next) override {
    const int byte = byte_of_token(text);
    if (byte < 0) {
      flush(next);
      next(id, std::move(text));
      return;
    }
    bytes_ += static_cast<char>(byte);
    if (eager_ && utf8::is_valid(bytes_)) flush(next);
  }
  void finish(const Next& next) override { flush(next); }

 private:
  void flush(const Next& next) {
    if (bytes_.empty()) return;
    if (utf8::is_valid(bytes_)) {
      next(-1, bytes_);
    } else {
      for (size_t i = 0; i < bytes_.size(); ++i) next(-1, std::string(kReplacement));
    }
    bytes_.clear();
  }
  bool eager_;
  std::string bytes_;
};

// Up to `start` and `stop` times a character at the ends, of each token or of the fused one.
class Strip final : public Stage {
 public:
  Strip(const DecoderStep& step, bool fused, bool mid_text)
      : character_(step.pattern),
        start_(mid_text ? 0 : step.start),
        stop_(mid_text ? 0 : step.stop),
        fused_(fused),
        left_(start_) {}

  void push(int32_t id, std::string text, const Next& next) override {
    if (!fused_) left_ = start_;
    size_t begin = 0;
    for (; left_ > 0 && std::string_view(text).substr(begin).starts_with(character_); --left_)
      begin += character_.size();
    if (begin < text.size()) left_ = 0;
    text.erase(0, begin);
    text.insert(0, held_);
    held_.clear();
    for (int64_t i = 0; i < stop_ && text.ends_with(character_); ++i) {
      text.resize(text.size() - character_.size());
      if (fused_) held_ += character_;
    }
    next(id, std::move(text));
  }

 private:
  std::string character_;
  int64_t start_, stop_;
  bool fused_;
  int64_t left_;      // still to strip at the start
  std::string held_;  // the end of the fused token, should nothing follow
};

class ReplaceText final : public Stage {
 public:
  explicit ReplaceText(const DecoderStep& step) : pattern_(step.pattern), content_(step.content) {}
  void push(int32_t id, std::string text, const Next& next) override {
    replace_all(text, pattern_, content_);
    next(id, std::move(text));
  }

 private:
  std::string pattern_, content_;
};

class ReplaceRegex final : public Stage {
 public:
  ReplaceRegex(const DecoderStep& step, std::string_view source)
      : regex_(step.pattern, source), content_(step.content) {}
  void push(int32_t id, std::string text, const Next& next) override {
    std::string out;
    size_t done = 0;
    for (const Regex::Match& match : regex_.find_all(text)) {
      out.append(text, done, match.begin - done);
      out += content_;
      done = match.end;
    }
    out.append(text, done);
    next(id, std::move(out));
  }

 private:
  Regex regex_;
  std::string content_;
};

// The suffix becomes a space, but nothing in the last token; so one token is held back.
class BpeSuffix final : public Stage {
 public:
  BpeSuffix(std::string suffix, bool mid_text) : suffix_(std::move(suffix)), mid_text_(mid_text) {}
  void push(int32_t id, std::string text, const Next& next) override {
    if (held_) pass(" ", next);
    held_ = std::move(text);
    id_ = id;
  }
  void finish(const Next& next) override {
    if (held_) pass(mid_text_ ? " " : "", next);
    held_.reset();
  }

 private:
  void pass(std::string_view replacement, const Next& next) {
    replace_all(*held_, suffix_, replacement);
    next(id_, std::move(*held_));
  }
  std::string suffix_;
  bool mid_text_;
  std::optional<std::string> held_;
  int32_t id_ = -1;
};

// What English text gets back from pieces cut at punctuation.
void clean_up(std::string& text) {
  struct Row {
    std::string_view from, to;
  };
  constexpr std::array kRows = {Row{" .", "."},     Row{" ?", "?"},           Row{" !", "!"},
                                Row{" ,", ","},     Row{" ' ", "'"},          Row{" n't", "n't"},
                                Row{" 'm", "'m"},   Row{" do not", " don't"}, Row{" 's", "'s"},
                                Row{" 've", "'ve"}, Row{" 're", "'re"}};
  for (const Row& row : kRows) replace_all(text, row.from, row.to);
}

class WordPieceJoin final : public Stage {
 public:
  WordPieceJoin(const DecoderStep& step, bool fused, bool mid_text)
      : prefix_(step.pattern), cleanup_(step.cleanup), fused_(fused), first_(!mid_text) {}
  void push(int32_t id, std::string text, const Next& next) override {
    if (!first_) {
      if (text.starts_with(prefix_)) {
        text.erase(0, prefix_.size());
      } else {
        text.insert(0, 1, ' ');
      }
    }
    if (!fused_) first_ = false;
    if (cleanup_) clean_up(text);
    next(id, std::move(text));
  }

 private:
  std::string prefix_;
  bool cleanup_, fused_, first_;
};

class Ctc final : public Stage {
 public:
  explicit Ctc(const DecoderStep& step)
      : pad_(step.pattern), delimiter_(step.content), cleanup_(step.cleanup) {}
  void push(int32_t id, std::string text, const Next& next) override {
    if (text == last_) return;
    last_ = text;
    replace_all(text, pad_, "");
    if (cleanup_) {
      clean_up(text);
      replace_all(text, delimiter_, " ");
    }
    if (!text.empty()) next(id, std::move(text));
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
  std::optional<std::string> last_;
};

class Join final : public Stage {
 public:
  explicit Join(bool mid_text) : first_(!mid_text) {}
  void push(int32_t id, std::string text, const Next& next) override {
    if (!first_) text.insert(0, 1, ' ');
    first_ = false;
    next(id, std::move(text));
  }

 private:
  bool first_;
};

// SentencePieceProcessor::Decode. Control tokens come here only where the caller wants to see them;
// left out, they still stand between bytes.
class SentencePiece final : public Stage {
 public:
  SentencePiece(const DecoderStep& step, const VocabSpec& spec, bool mid_text)
      : spec_(spec),
        unknown_surface_(step.content),
        all_spaces_(step.sentencepiece.remove_extra_whitespaces),
        at_start_(!mid_text && (step.sentencepiece.add_dummy_prefix || all_spaces_)) {}

  void push(int32_t id, std::string text, const Next& next) override {
    const TokenKind kind = id < 0 ? TokenKind::normal : spec_.kinds[static_cast<size_t>(id)];
    if (const int byte = kind == TokenKind::byte ? byte_of_token(text) : -1; byte >= 0) {
      bytes_ += static_cast<char>(byte);
      pass_bytes(false, next);
      return;
    }
    pass_bytes(true, next);
    if (kind == TokenKind::unknown) {
      text = unknown_surface_;
    } else if (kind != TokenKind::control) {
      if (at_start_ && text.starts_with(kSpaceSymbol)) {
        text.erase(0, kSpaceSymbol.size());
        if (!all_spaces_) at_start_ = false;
      }
      replace_all(text, kSpaceSymbol, " ");
    }
    pass(id, std::move(text), next);
  }
  void skip(const Next& next) override { pass_bytes(true, next); }
  void finish(const Next& next) override { pass_bytes(true, next); }

 private:
  void pass(int32_t id, std::string text, const Next& next) {
    if (text.empty()) return;
    at_start_ = false;
    next(id, std::move(text));
  }

  // Whole characters; a byte that cannot be part of one, or at the end is not, as U+FFFD.
  void pass_bytes(bool end, const Next& next) {
    while (!bytes_.empty()) {
      const utf8::Decoded decoded = utf8::decode(bytes_);
      if (decoded.incomplete && !end) return;
      const size_t length = decoded.valid ? decoded.length : 1;
      pass(-1, decoded.valid ? bytes_.substr(0, length) : std::string(kReplacement), next);
      bytes_.erase(0, length);
    }
  }

  const VocabSpec& spec_;
  std::string unknown_surface_, bytes_;
  bool all_spaces_, at_start_;
};

std::unique_ptr<Stage> make_stage(const DecoderStep& step, const VocabSpec& spec,
                                  const Options& options, bool fused) {
  using enum DecoderKind;
  switch (step.kind) {
    case byte_level:
      return std::make_unique<ByteLevel>();
    case metaspace:
      return std::make_unique<Metaspace>(step, fused, options.mid_text);
    case byte_fallback:
      return std::make_unique<ByteFallback>(options.eager);
    case strip:
      return std::make_unique<Strip>(step, fused, options.mid_text);
    case replace_text:
      return std::make_unique<ReplaceText>(step);
    case replace_regex:
      return std::make_unique<ReplaceRegex>(step, spec.source);
    case bpe:
      return std::make_unique<BpeSuffix>(step.pattern, options.mid_text);
    case word_piece:
      return std::make_unique<WordPieceJoin>(step, fused, options.mid_text);
    case ctc:
      return std::make_unique<Ctc>(step);
    case join:
      return std::make_unique<Join>(options.mid_text);
    case sentencepiece:
      return std::make_unique<SentencePiece>(step, spec, options.mid_text);
    case fuse:
      break;
  }
  return nullptr;
}

}  // namespace

DecodeChain::DecodeChain(const VocabSpec& spec, Options options) {
  bool fused = false;
  for (const DecoderStep& step : spec.decoders) {
    if (auto stage = make_stage(step, spec, options, fused)) stages_.push_back(std::move(stage));
    fused = fused || step.kind == DecoderKind::fuse || step.kind == DecoderKind::byte_level;
  }
}

DecodeChain::~DecodeChain() = default;

void DecodeChain::Next::operator()(int32_t id, std::string text) const {
  if (stage_ == chain_.stages_.size()) {
    chain_.out_ += text;
  } else {
    chain_.stages_[stage_]->push(id, std::move(text), Next(chain_, stage_ + 1));
  }
}

std::string DecodeChain::push(int32_t id, std::string_view text) {
  out_.clear();
  Next(*this, 0)(id, std::string(text));
  return std::move(out_);
}

// What is left out is so before the first stage.
std::string DecodeChain::skip() {
  out_.clear();
  if (!stages_.empty()) stages_.front()->skip(Next(*this, 1));
  return std::move(out_);
}

std::string DecodeChain::finish() {
  out_.clear();
  for (size_t i = 0; i < stages_.size(); ++i) stages_[i]->finish(Next(*this, i + 1));
  return std::move(out_);
}

}  // namespace bittern::text
