#include "format/vocab.h"

#include "base/error.h"

namespace bittern::format {

text::VocabSpec read_vocab(const Checkpoint& checkpoint) {
  if (checkpoint.container == Container::gguf) return vocab_from_gguf(checkpoint.metadata);
  if (checkpoint.tokenizer == nullptr)
    bad_input("{}: tokenizer.json expected beside the weights, got none", checkpoint.path.string());
  return vocab_from_tokenizer_json(*checkpoint.tokenizer, checkpoint.tokenizer_config.get(),
                                   checkpoint.config.get(), checkpoint.generation_config.get());
}

}  // namespace bittern::format
