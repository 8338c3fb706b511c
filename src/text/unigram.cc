#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"

namespace bittern::text {
namespace {

constexpr double kUnknownPenalty = 10;

PrefixTrie make_trie(const VocabSpec& spec) {
  std::vector<std::pair<std::string_view, int32_t>> entries;
  entries.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const TokenKind kind = spec.kinds[i];
    // SentencePiece reserves the names of bytes; tokenizer.json has no such kind.
    if (kind == TokenKind::normal || kind == TokenKind::user_defined)
      entries.emplace_back(spec.tokens[i], static_cast<int32_t>(i));
  }
  return PrefixTrie(std::move(entries));
}

// SentencePiece asks ordinary pieces alone, `tokenizers` the model's whole vocabulary.
double worst_score(const VocabSpec& spec) {
  double worst = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (spec.kinds[i] == TokenKind::normal ||
        (!spec.single_precision && spec.kinds[i] != TokenKind::unused))
      worst = std::min(worst, spec.scores[i]);
  return worst == std::numeric_limits<double>::infinity() ? 0 : worst;
}

double best_normal_score(const VocabSpec& spec) {
  double best = std::numeric_limits<float>::min();  // where SentencePiece starts from
  for (size_t i = 0; i < spec.tokens.size(); ++i)
    if (spec.kinds[i] == TokenKind::normal) best = std::max(best, spec.scores[i]);
  return best;
}

}  // namespace

Unigram::Unigram(const VocabSpec& spec)
    : spec_(spec),
      trie_(make_trie(spec)),
      byte_tokens_(VocabIndex(spec).byte_tokens()),
      unknown_score_(worst_score(spec) - kUnknownPenalty),
      best_score_(best_normal_score(spec)) {
  if (spec.single_precision) unknown_score_ = static_cast<float>(unknown_score_);
}

double Unigram::score_of(int32_t id, size_t length) const {
  const auto at = static_cast<size_t>(id);
  if (!spec_.single_precision || spec_.kinds[at] != TokenKind::user_defined)
    return spec_.scores[at];
  return static_cast<double>(static_cast<float>(length) * static_cast<float>(best_score_)) - 0.1;
}

void Unigram::reach(ModelScratch::Step& step, double score, int32_t id, size_t begin) const {
  if (step.begin >= 0 && !(score > step.score)) return;
  step = {spec_.single_precision ? static_cast<float>(score) : score, id,
          static_cast<int32_t>(begin)};
}

void Unigram::search(std::string_view piece, std::vector<ModelScratch::Step>& steps) const {
  steps.assign(piece.size() + 1, {0, kUnknown, -1});
  for (size_t begin = 0; begin < piece.size();) {
    const double so_far = steps[begin].score;
    const size_t character = utf8::decode(piece.substr(begin)).length;
    bool covered = false;
    uint32_t node = PrefixTrie::kRoot;
    for (size_t end = begin; end < piece.size();) {
      node = trie_.child(node, static_cast<unsigned char>(piece[end]));
      if (node == PrefixTrie::kNone) break;
      ++end;
      const int32_t id = trie_.value(node);
      if (id < 0) continue;
      reach(steps[end], score_of(id, end - begin) + so_far, id, begin);
      covered = covered || end - begin == character;
    }
    if (!covered) {
      const double score = unknown_score_ + so_far;
      reach(steps[begin + character],
            spec_.single_precision ? static_cast<double>(static_cast<float>(score)) : score,
            kUnknown, begin);
    }
    begin += character;
  }
}

void Unigram::encode(std::string_view piece, ModelScratch& scratch,
                     std::vector<int32_t>& out) const {
  auto& steps = scratch.steps;
  search(piece, steps);
  // The way back, written over the steps from the end: where each token begins.
  auto& ends = scratch.ids;
  ends.clear();
  for (auto end = static_cast<int32_t>(piece.size()); end > 0;
       end = steps[static_cast<size_t>(end)].begin)
    ends.push_back(end);
  size_t unknown_begin = std::string_view::npos;
  for (auto it = ends.rbegin(); it != ends.rend(); ++it) {
    const ModelScratch::Step& step = steps[static_cast<size_t>(*it)];
    const auto begin = static_cast<size_t>(step.begin);
    if (step.id == kUnknown) {
      if (unknown_begin == std::string_view::npos) unknown_begin = begin;
      continue;
    }
    if (unknown_begin != std::string_view::npos)
      append_unknown(piece.substr(unknown_begin, begin - unknown_begin), out);
    unknown_begin = std::string_view::npos;
    out.push_back(step.id);
  }
  if (unknown_begin != std::string_view::npos) append_unknown(piece.substr(unknown_begin), out);
}

void Unigram::append_unknown(std::string_view run, std::vector<int32_t>& out) const {
  const auto byte_token = [&](char c) { return byte_tokens_[static_cast<unsigned char>(c)]; };
  if (spec_.byte_fallback && std::ranges::all_of(run, [&](char c) { return byte_token(c) >= 0; })) {
    for (const char c : run) out.push_back(byte_token(c));
    return;
  }
  if (spec_.unknown < 0)
    bad_input("{}: no token for '{}' and no unknown token", spec_.source, printable(run));
  out.push_back(spec_.unknown);
}

}  // namespace bittern::text
