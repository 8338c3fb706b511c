// bittern embed: texts to vectors of length 1. An encoder pools as its files say; a causal model
// only as it is told to, since its states were made to predict, not to compare.
#include "engine/embedder.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json_write.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "model/bind.h"

namespace bittern::cli {
namespace {

constexpr int64_t kTokensFlagMax = int64_t{1} << 30;

// One text a line; a final newline ends the last line.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

struct Embedding {
  std::string text;
  int64_t token_count = 0;
  std::vector<float> vector;
};

class Embed final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    flags.arguments("TEXT", &texts_, "The texts; - or nothing reads standard input, one a line.");
    flags.text({"-f", "FILE", "Read the texts from a file, one a line."}, &file_);
    flags.choice({"--pooling", "HOW",
                  "mean, cls (first token) or last; what the model's files say by default."},
                 &pooling_, {"mean", "cls", "last"});
    flags.integer(
        {"-c,--context", "N", "Tokens of one text at most; what the model allows by default."},
        &model_flags_.context, 1, kTokensFlagMax);
    flags.toggle({"--truncate", "", "Cut a text that is too long instead of refusing it."},
                 &truncate_);
    flags.toggle({"--similarity", "", "Print the cosine of every pair instead of the vectors."},
                 &similarity_);
    model_flags_.declare_activations(flags);
    model_flags_.declare_threads(flags);
    model_flags_.declare_cache(flags);
    flags.toggle({"--json", "", "One JSON document."}, &json_);
    flags.note(
        "One line per text: its numbers, whose squares sum to 1. With --similarity, line i holds "
        "the cosine of text i and each text.");
  }

  int run(const Log& log) override {
    const std::vector<std::string> texts = read_texts();
    model_flags_.kv_type = "f32";  // a text is short, and nothing is kept of it
    const format::Checkpoint checkpoint = model_flags_.open();
    const model::Config config =
        model::read_config(checkpoint, model::find_architecture(checkpoint));
    const engine::EmbeddingDefaults defaults = engine::embedding_defaults(checkpoint, config);
    const engine::Pooling pooling = chosen_pooling(defaults, config);
    const int64_t limit = token_limit(defaults, config);
    const bool encoder = config.mask == backend::Mask::bidirectional;
    const engine::Session session = load_session(
        model_flags_, {.context = limit, .max_rows = encoder ? limit : 512, .max_logit_rows = 0},
        log);

    engine::Embedder embedder(*session.model, *session.backend,
                              {.pooling = pooling, .max_tokens = session.options.context});
    std::vector<Embedding> embeddings;
    {
      Progress progress("embedding", static_cast<int64_t>(texts.size()), Progress::Unit::items,
                        "texts", log.level() == Log::Level::quiet);
      for (const std::string& text : texts) {
        interrupt::check();
        const std::vector<int32_t> ids = text_ids(session, text, embeddings.size(), log);
        embeddings.push_back({text, static_cast<int64_t>(ids.size()), embedder.embed(ids)});
        progress.advance(1);
      }
    }
    print(session, pooling, embeddings);
    return 0;
  }

 private:
  std::vector<std::string> read_texts() const {
    std::vector<std::string> texts;
    if (!texts_.empty() && file_)
      fail(ErrorKind::usage, "embed: the texts are given twice, as arguments and by -f");
    if (texts_.empty() || texts_ == std::vector<std::string>{"-"}) {
      const auto standard = texts_.empty() ? std::nullopt : std::optional<std::string>("-");
      texts = lines_of(read_text("embed", "text", standard, file_, false));
    } else {
      texts = texts_;
    }
    if (texts.empty()) fail(ErrorKind::usage, "embed: at least one text expected");
    return texts;
  }

  engine::Pooling chosen_pooling(const engine::EmbeddingDefaults& defaults,
                                 const model::Config& config) const {
    if (pooling_) return *engine::pooling_from_name(*pooling_);
    if (defaults.pooling) return *defaults.pooling;
    fail(ErrorKind::usage,
         "embed: {} predicts text and its files name no pooling; --pooling last (or mean, cls) "
         "takes its states all the same",
         config.file);
  }

  // Tokens of one text: the flag, held against the model; else what the files say.
  int64_t token_limit(const engine::EmbeddingDefaults& defaults,
                      const model::Config& config) const {
    if (model_flags_.context) return model::planned_context(config, *model_flags_.context);
    return engine::embedding_tokens(defaults, config);
  }

  std::vector<int32_t> text_ids(const engine::Session& session, const std::string& text,
                                size_t index, const Log& log) const {
    const text::Tokenizer& tokenizer = session.tokenizer();
    std::vector<int32_t> ids = tokenizer.encode(text);
    const int64_t limit = session.options.context;
    const auto count = static_cast<int64_t>(ids.size());
    if (ids.empty()) fail(ErrorKind::usage, "embed: text {} has no tokens", index + 1);
    if (count <= limit) return ids;
    if (!truncate_) {
      fail(ErrorKind::usage,
           "embed: text {} has {} tokens, at most {} expected (--truncate cuts it)", index + 1,
           count, limit);
    }
    log.info("text {}: {} tokens cut to {}", index + 1, count, limit);
    return engine::truncated(tokenizer, text, ids, limit);
  }

  void print(const engine::Session& session, engine::Pooling pooling,
             const std::vector<Embedding>& embeddings) const {
    if (json_) {
      write_output(to_text(document(session, pooling, embeddings)) + "\n");
      return;
    }
    std::string out;
    for (const Embedding& one : embeddings) {
      if (similarity_) {
        for (const Embedding& other : embeddings)
          out += fmt::format("{}{:.6f}", &other == &embeddings.front() ? "" : " ",
                             engine::similarity(one.vector, other.vector));
      } else {
        out += fmt::format("{}", fmt::join(one.vector, " "));
      }
      out += '\n';
    }
    write_output(out);
  }

  JsonBuilder document(const engine::Session& session, engine::Pooling pooling,
                       const std::vector<Embedding>& embeddings) const {
    JsonBuilder rows = JsonBuilder::array(), similarities = nullptr;
    for (const Embedding& one : embeddings) {
      JsonBuilder row = {{"text", one.text}, {"tokens", one.token_count}};
      if (!similarity_) row["embedding"] = one.vector;
      rows.push_back(std::move(row));
    }
    if (similarity_) {
      similarities = JsonBuilder::array();
      for (const Embedding& one : embeddings) {
        JsonBuilder row = JsonBuilder::array();
        for (const Embedding& other : embeddings)
          row.push_back(engine::similarity(one.vector, other.vector));
        similarities.push_back(std::move(row));
      }
    }
    return {{"model", *model_flags_.path},
            {"pooling", engine::pooling_name(pooling)},
            {"dimensions", session.model->config.hidden_size},
            {"max_tokens", session.options.context},
            {"texts", std::move(rows)},
            {"similarities", std::move(similarities)},
            {"backend", session.backend->description()},
            {"kernels", session.kernels()}};
  }

  ModelFlags model_flags_;
  std::vector<std::string> texts_;
  std::optional<std::string> file_, pooling_;
  bool truncate_ = false, similarity_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_embed() { return std::make_unique<Embed>(); }

}  // namespace bittern::cli
