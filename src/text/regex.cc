#include "text/regex.h"

#include <oniguruma.h>

#include <array>
#include <mutex>

#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace bittern::text {
namespace {

// Backtracking steps of one search (Oniguruma's own default; a tenth of a second), and seconds of
// all searches in one text: ordinary patterns read tens of megabytes a second.
constexpr unsigned long kStepsMax = 10'000'000;
constexpr double kSecondsMax = 10;
constexpr unsigned int kStackBytes = 64u << 20;
constexpr size_t kPatternBytesMax = 1 << 16;

const OnigUChar* as_onig(const char* text) { return reinterpret_cast<const OnigUChar*>(text); }

std::string error_text(int code, OnigErrorInfo* info) {
  std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN> text{};
  const int length = onig_error_code_to_str(text.data(), code, info);
  return {reinterpret_cast<const char*>(text.data()), static_cast<size_t>(length)};
}

// The code points with a property bit, in the library's form: the number of ranges, then the ends
// of each.
std::vector<OnigCodePoint> ranges_of(Properties bit) {
  std::vector<OnigCodePoint> ranges{0};
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if ((properties(c) & bit) == 0) continue;
    if (ranges[0] > 0 && ranges.back() + 1 == c) {
      ranges.back() = c;
    } else {
      ranges.insert(ranges.end(), {c, c});
      ++ranges[0];
    }
  }
  return ranges;
}

// Once per process. The library of a distribution may be older than the one inside of `tokenizers`:
// letters, numbers and marks follow our tables (Unicode 16), so that a new script is cut the same;
// what else an expression names (\d, \w, \p{Lu}) is as old as the library.
void initialize_library() {
  static std::once_flag once;
  static std::array<std::vector<OnigCodePoint>, 3> tables;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(200);
    tables = {ranges_of(kLetter), ranges_of(kNumber), ranges_of(kMark)};
    onig_unicode_define_user_property("L", tables[0].data());
    onig_unicode_define_user_property("N", tables[1].data());
    onig_unicode_define_user_property("M", tables[2].data());
  });
}

struct RegionDeleter {
  void operator()(OnigRegion* region) const { onig_region_free(region, 1); }
};
struct ParamDeleter {
  void operator()(OnigMatchParam* param) const { onig_free_match_param(param); }
};

}  // namespace

struct Regex::Compiled {
  regex_t* regex = nullptr;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { onig_free(regex); }
};

Regex::Regex(std::string_view pattern, std::string_view source)
    : compiled_(std::make_unique<Compiled>()), source_(source), pattern_(pattern) {
  initialize_library();
  if (pattern.size() > kPatternBytesMax)
    bad_input("{}: pattern: at most {} bytes expected, got {}", source_, kPatternBytesMax,
              pattern.size());
  OnigErrorInfo info;
  const OnigUChar* begin = as_onig(pattern_.data());
  const int code = onig_new(&compiled_->regex, begin, begin + pattern_.size(), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_ONIGURUMA, &info);
  if (code != ONIG_NORMAL)
    bad_input("{}: pattern '{}': {}", source_, printable(pattern_), error_text(code, &info));
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

std::vector<Regex::Match> Regex::find_all(std::string_view text) const {
  const std::unique_ptr<OnigRegion, RegionDeleter> region(onig_region_new());
  const std::unique_ptr<OnigMatchParam, ParamDeleter> param(onig_new_match_param());
  if (!region || !param) fail(ErrorKind::resources, "{}: no memory for a search", source_);
  onig_initialize_match_param(param.get());
  onig_set_retry_limit_in_match_of_match_param(param.get(), kStepsMax);
  onig_set_retry_limit_in_search_of_match_param(param.get(), kStepsMax);
  onig_set_match_stack_limit_size_of_match_param(param.get(), kStackBytes);

  std::vector<Match> matches;
  const OnigUChar* begin = as_onig(text.data());
  const OnigUChar* end = begin + text.size();
  const double started = monotonic_seconds();
  for (size_t at = 0; at <= text.size();) {
    const int found = onig_search_with_param(compiled_->regex, begin, end, begin + at, end,
                                             region.get(), ONIG_OPTION_NONE, param.get());
    if (found == ONIG_MISMATCH) break;
    if (found < 0)
      bad_input("{}: pattern '{}' on a text of {} bytes: {}", source_, printable(pattern_),
                text.size(), error_text(found, nullptr));
    if (monotonic_seconds() - started > kSecondsMax)
      bad_input("{}: pattern '{}' on a text of {} bytes: more than {} seconds", source_,
                printable(pattern_), text.size(), kSecondsMax);
    const Match match{static_cast<size_t>(region->beg[0]), static_cast<size_t>(region->end[0])};
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      at += at < text.size() ? utf8::decode(text.substr(at)).length : 1;
    } else {
      matches.push_back(match);
      at = match.end;
    }
  }
  return matches;
}

std::vector<Regex::Match> find_literal(std::string_view text, std::string_view pattern) {
  std::vector<Regex::Match> matches;
  if (pattern.empty()) return matches;
  for (size_t at = text.find(pattern); at != std::string_view::npos;
       at = text.find(pattern, at + pattern.size()))
    matches.push_back({at, at + pattern.size()});
  return matches;
}

}  // namespace bittern::text
