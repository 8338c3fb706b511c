// bittern detokenize: token ids to text, followed by one newline.
#include "base/error.h"
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/input_text.h"
#include "cli/model_flags.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

// Words between spaces, newlines and commas.
std::vector<std::string> split_words(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n,";
  std::vector<std::string> words;
  while (true) {
    const size_t start = text.find_first_not_of(kBetween);
    if (start == std::string_view::npos) return words;
    const size_t end = std::min(text.find_first_of(kBetween, start), text.size());
    words.emplace_back(text.substr(start, end - start));
    text.remove_prefix(end);
  }
}

class Detokenize final : public Command {
 public:
  void declare(Flags& flags) override {
    model_flags_.declare_path(flags);
    flags.arguments("ID", &id_arguments_, "Token ids; none reads standard input.");
    flags.toggle({"--no-special", "", "Leave special tokens out of the text."}, &no_special_);
    flags.toggle({"--json", "", "One JSON document with ids and text."}, &json_);
  }

  int run(const Log&) override {
    const std::vector<std::string> words =
        id_arguments_.empty()
            ? split_words(read_text("detokenize", "ids", std::nullopt, std::nullopt, false))
            : id_arguments_;
    const auto tokenizer = load_tokenizer(model_flags_);
    std::vector<int32_t> ids;
    for (const std::string& word : words) {
      const auto id = parse_integer(word);
      if (!id || *id < 0 || *id >= tokenizer->vocab_size())
        bad_input("detokenize: token id 0 to {} expected, got \"{}\"", tokenizer->vocab_size() - 1,
                  printable(word));
      ids.push_back(static_cast<int32_t>(*id));
    }
    const std::string text = tokenizer->decode(ids, {.skip_special = no_special_});
    write_output(
        json_ ? to_text(JsonBuilder{{"model", *model_flags_.path}, {"ids", ids}, {"text", text}}) +
                    "\n"
              : text + "\n");
    return 0;
  }

 private:
  ModelFlags model_flags_;
  std::vector<std::string> id_arguments_;
  bool no_special_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_detokenize() { return std::make_unique<Detokenize>(); }

}  // namespace bittern::cli
