// Time to compile some usual schemas, and per token mask over random walks with a real vocabulary.
// Prints a table; docs/measurements/constrained.txt holds one.
//   grammar_bench VOCABULARY.gguf [SEED]
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "chat/grammar/grammar.h"
#include "format/checkpoint.h"
#include "format/vocab.h"
#include "text/tokenizer.h"

namespace bittern::chat::grammar {
namespace {

struct Case {
  const char* name;
  const char* schema;
};

// Shapes as they are sent for extraction, tools and structured answers.
constexpr Case
    kCases
        [] =
            {
                {"one string",
                 R"({"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false})"},
                {"person",
                 R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":130},"email":{"type":"string","format":"email"}},"required":["name","age"],"additionalProperties":false})"},
                {"lengths",
                 R"({"type":"object","properties":{"title":{"type":"string","minLength":1,"maxLength":60},"summary":{"type":"string","maxLength":500},"tags":{"type":"array","items":{"type":"string","maxLength":20},"maxItems":8}},"required":["title","summary","tags"],"additionalProperties":false})"},
                {"enums",
                 R"({"type":"object","properties":{"sentiment":{"enum":["positive","negative","neutral"]},"confidence":{"type":"number","minimum":0,"maximum":1},"language":{"enum":["en","fr","de","es","it","pt","nl","pl","ru","zh","ja"]}},"required":["sentiment","confidence","language"],"additionalProperties":false})"},
                {"tool call",
                 R"({"type":"object","properties":{"name":{"const":"get_weather"},"arguments":{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["celsius","fahrenheit"]}},"required":["city"],"additionalProperties":false}},"required":["name","arguments"],"additionalProperties":false})"},
                {"tool choice",
                 R"({"anyOf":[{"type":"object","properties":{"name":{"const":"search"},"arguments":{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query"]}},"required":["name","arguments"]},{"type":"object","properties":{"name":{"const":"open"},"arguments":{"type":"object","properties":{"url":{"type":"string","format":"uri"}},"required":["url"]}},"required":["name","arguments"]},{"type":"object","properties":{"name":{"const":"finish"},"arguments":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}},"required":["name","arguments"]}]})"},
                {"one of",
                 R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"circle"},"radius":{"type":"number","exclusiveMinimum":0}},"required":["kind","radius"]},{"type":"object","properties":{"kind":{"const":"box"},"width":{"type":"number"},"height":{"type":"number"}},"required":["kind","width","height"]}]})"},
                {"list of records",
                 R"({"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"label":{"type":"string"},"done":{"type":"boolean"}},"required":["id","label","done"],"additionalProperties":false},"minItems":1})"},
                {"tree",
                 R"({"$defs":{"node":{"type":"object","properties":{"value":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["value"],"additionalProperties":false}},"$ref":"#/$defs/node"})"},
                {"dates",
                 R"({"type":"object","properties":{"start":{"type":"string","format":"date-time"},"end":{"type":"string","format":"date-time"},"day":{"type":"string","format":"date"},"id":{"type":"string","format":"uuid"}},"required":["start","end","day","id"],"additionalProperties":false})"},
                {"patterns",
                 R"({"type":"object","properties":{"phone":{"type":"string","pattern":"^\\+?[0-9]{7,15}$"},"zip":{"type":"string","pattern":"^[0-9]{5}(-[0-9]{4})?$"},"code":{"type":"string","pattern":"^[A-Z]{3}-[0-9]+$"}},"required":["phone","zip","code"],"additionalProperties":false})"},
                {"optional members",
                 R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"boolean"},"d":{"type":"number"},"e":{"type":"string"},"f":{"type":"array","items":{"type":"string"}},"g":{"type":"null"},"h":{"type":"string"},"i":{"type":"integer"},"j":{"type":"string"}},"additionalProperties":false})"},
                {"open object",
                 R"({"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"}},"required":["id"]})"},
                {"map", R"({"type":"object","additionalProperties":{"type":"number"}})"},
                {"any json", R"(true)"},
                {"nested",
                 R"({"type":"object","properties":{"invoice":{"type":"object","properties":{"number":{"type":"string"},"date":{"type":"string","format":"date"},"lines":{"type":"array","items":{"type":"object","properties":{"item":{"type":"string"},"quantity":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0}},"required":["item","quantity","price"],"additionalProperties":false}},"total":{"type":"number"}},"required":["number","date","lines","total"],"additionalProperties":false}},"required":["invoice"],"additionalProperties":false})"},
                {"nullable",
                 R"({"type":"object","properties":{"first":{"type":["string","null"]},"second":{"anyOf":[{"type":"integer"},{"type":"null"}]},"third":{"type":["array","null"],"items":{"type":"string"}}},"required":["first","second","third"],"additionalProperties":false})"},
                {"if then else",
                 R"({"type":"object","properties":{"country":{"enum":["us","ca"]},"code":{"type":"string"}},"required":["country","code"],"additionalProperties":false,"if":{"properties":{"country":{"const":"us"}}},"then":{"properties":{"code":{"pattern":"^[0-9]{5}$"}}},"else":{"properties":{"code":{"pattern":"^[A-Z][0-9][A-Z] [0-9][A-Z][0-9]$"}}}})"},
                {"not and contains",
                 R"({"type":"array","items":{"type":"string","not":{"enum":["none","n/a"]}},"contains":{"const":"main"},"maxItems":10})"},
                {"reasoning",
                 R"({"type":"object","properties":{"steps":{"type":"array","items":{"type":"object","properties":{"explanation":{"type":"string"},"output":{"type":"string"}},"required":["explanation","output"],"additionalProperties":false}},"final_answer":{"type":"string"}},"required":["steps","final_answer"],"additionalProperties":false})"},
};

// Of this thread on the processor: other work on the machine does not count.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}
double microseconds(double from) { return now() - from; }

struct Times {
  std::vector<double> masks;
  size_t tokens = 0;

  double mean() const {
    double sum = 0;
    for (const double each : masks) sum += each;
    return sum / static_cast<double>(masks.size());
  }
  double at(double share) {
    std::ranges::sort(masks);
    return masks[static_cast<size_t>(share * static_cast<double>(masks.size() - 1))];
  }
};

// Words more often than punctuation, as models write: a plain uniform choice would close each text
// at once or fill it with rare characters. At most `tokens` of them.
void walk(Matcher& matcher, const TokenTrie& trie, random::Sequence& random, size_t tokens,
          Times& times) {
  std::vector<uint64_t> bits(trie.mask_words());
  std::vector<int32_t> allowed;
  for (size_t step = 0; step < tokens; ++step) {
    const auto start = now();
    matcher.mask(bits);
    times.masks.push_back(microseconds(start));
    allowed.clear();
    for (size_t word = 0; word < bits.size(); ++word)
      for (uint64_t left = bits[word]; left != 0; left &= left - 1)
        allowed.push_back(static_cast<int32_t>(word * 64) + std::countr_zero(left));
    if (allowed.empty()) return;
    int32_t chosen = allowed[random.below(allowed.size())];
    // Now and then the text is closed.
    if (random.uniform() < 0.08)
      for (const int32_t token : allowed)
        if (trie.token(token).starts_with('"') && random.uniform() < 0.2) chosen = token;
    matcher.accept(chosen);
    ++times.tokens;
    if (matcher.is_finished()) return;
  }
}

int measure(const std::string& path, uint64_t seed) {
  const format::Checkpoint checkpoint = format::open_checkpoint(path);
  const auto tokenizer = text::Tokenizer::build(format::read_vocab(checkpoint));
  auto start = now();
  const auto trie = std::make_shared<const TokenTrie>(*tokenizer);
  fmt::print("{} tokens; token trie built in {:.1f} ms\n", trie->vocab_size(),
             microseconds(start) / 1000);
  fmt::print("{:18} {:>11} {:>7} {:>7} | mask, microseconds: {:>7} {:>7} {:>7} {:>8} | cache KB\n",
             "schema", "compile us", "states", "tokens", "mean", "p50", "p99", "max");
  double sum = 0;
  for (const Case& each : kCases) {
    std::vector<double> compile;
    for (int round = 0; round < 5; ++round) {
      start = now();
      compile_json_schema(each.schema);
      compile.push_back(microseconds(start));
    }
    std::ranges::sort(compile);
    const Grammar grammar = compile_json_schema(each.schema);
    const auto constraint = std::make_shared<Constraint>(grammar, trie);
    random::Sequence random(seed);
    Times times;
    // Cold caches at first: four answers of at most 250 tokens, as for a new schema.
    for (int answer = 0; answer < 4; ++answer) {
      Matcher matcher(constraint);
      walk(matcher, *trie, random, 250, times);
    }
    sum += times.mean();
    const double mean = times.mean();
    fmt::print("{:18} {:11.0f} {:7} {:7} | {:18} {:7.1f} {:7.1f} {:7.1f} {:8.1f} | {:7}\n",
               each.name, compile[2], grammar.state_count(), times.tokens, "", mean, times.at(0.5),
               times.at(0.99), times.at(1), constraint->cache_bytes() / 1024);
  }
  fmt::print("mean of the means: {:.1f} us\n", sum / std::size(kCases));
  return 0;
}

}  // namespace
}  // namespace bittern::chat::grammar

int main(int count, char** arguments) {
  try {
    if (count < 2) bittern::bad_input("usage: grammar_bench VOCABULARY.gguf [SEED]");
    return bittern::chat::grammar::measure(arguments[1], count > 2 ? std::stoull(arguments[2]) : 1);
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return static_cast<int>(error.kind());
  }
}
