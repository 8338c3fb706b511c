// The verbs. A new one is a file beside this and a row here.
#include "base/error.h"
#include "base/suggest.h"
#include "cli/command.h"

namespace bittern::cli {
namespace {

constexpr Verb kVerbs[] = {
    {"run", "Continue a prompt and print the text as it is made.", make_run},
    {"batch", "Answer a file of requests in OpenAI's batch format.", make_batch},
    {"show", "What a model is: metadata, tensors, bits per weight, memory.", make_show},
    {"tokenize", "Text to token ids.", make_tokenize},
    {"detokenize", "Token ids to text.", make_detokenize},
    {"eval", "Measure a model: perplexity of a text.", make_eval},
    {"bench", "Measure speed: tokens per second of prompt and of text.", make_bench},
    {"embed", "Texts as vectors, and how alike they are.", make_embed},
    {"pull", "Bring a model here, by name or from the hub.", make_pull},
    {"list", "The models that are here, or that can be pulled.", make_list},
    {"rm", "Remove a pulled model.", make_rm},
    {"completion", "A completion script for bash, zsh or fish.", make_completion},
    {"help", "Explain a verb.", make_help},
    {"version", "Print the version.", make_version},
};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

const Verb* find_verb(std::string_view name) {
  for (const Verb& verb : kVerbs)
    if (verb.name == name) return &verb;
  return nullptr;
}

const Verb& require_verb(std::string_view name) {
  if (const Verb* verb = find_verb(name)) return *verb;
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  if (const auto nearest = suggest(name, names))
    fail(ErrorKind::usage, "unknown verb {}; did you mean {}?", printable(name), *nearest);
  fail(ErrorKind::usage, "unknown verb {}; the verbs are {}", printable(name),
       fmt::join(names, ", "));
}

DeclaredVerb::DeclaredVerb(const Verb& verb)
    : command(verb.make()),
      flags(std::make_unique<Flags>(std::string(verb.name), std::string(verb.summary))) {
  command->declare(*flags);
  flags->toggle({"-q,--quiet", "", "Print the result only, nothing on stderr but errors."}, &quiet);
  flags->toggle({"-v,--verbose", "", "Say on stderr what was chosen and measured."}, &verbose);
}

}  // namespace bittern::cli
