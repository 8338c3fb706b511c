// bittern tokenize: text to token ids, one a line.
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

class Tokenize final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    flags.argument("TEXT", &text_argument_, false,
                   "The text; - or nothing reads standard input, every byte of it.");
    flags.text({"-f", "FILE", "Read the text from a file, every byte of it."}, &file_);
    flags.toggle({"--no-special", "",
                  "Add no BOS or EOS, and read the names of special tokens as plain text."},
                 &no_special_);
    flags.toggle({"--json", "", "One JSON document with ids and pieces."}, &json_);
  }

  int run(const Log&) override {
    const std::string text = read_text("tokenize", "text", text_argument_, file_, false);
    const auto tokenizer = load_tokenizer(model_flags_);
    const std::vector<int32_t> ids =
        tokenizer->encode(text, {.add_special = !no_special_, .parse_special = !no_special_});
    std::string out;
    if (json_) {
      JsonBuilder tokens = JsonBuilder::array();
      for (const int32_t id : ids)
        tokens.push_back(
            {{"id", id}, {"text", tokenizer->token_bytes(id, {.skip_special = false})}});
      out = to_text(JsonBuilder{{"model", *model_flags_.path},
                                {"text", text},
                                {"ids", ids},
                                {"tokens", std::move(tokens)}}) +
            "\n";
    } else {
      for (const int32_t id : ids) out += fmt::format("{}\n", id);
    }
    write_output(out);
    return 0;
  }

 private:
  ModelFlags model_flags_;
  std::optional<std::string> text_argument_, file_;
  bool no_special_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize() { return std::make_unique<Tokenize>(); }

}  // namespace bittern::cli
