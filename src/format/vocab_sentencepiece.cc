// A vocabulary from the model file of SentencePiece, a protobuf:
//   1  pieces: 1 text, 2 score (float), 3 type (1 normal ... 6 byte)
//   2  trainer: 3 model type (1 unigram, 2 BPE), 24 whitespace as suffix, 35 byte fallback,
//      40-43 unk, bos, eos, pad ids, 44 what unknown reads as
//   3  normaliser: 2 charsmap, 3 dummy prefix, 4 remove extra spaces, 5 escape spaces
//   5  denormaliser
// Text is read as SentencePiece reads it; control pieces are matched in raw text as well, as every
// tokeniser with special tokens does. BOS and EOS follow tokenizer_config.json, the class it names,
// or the family in config.json, as transformers 5.23 has them.
// Source: sentencepiece_model.proto (research note H 5.3).
#include <algorithm>

#include "base/error.h"
#include "base/protobuf.h"
#include "format/vocab_builder.h"

namespace bittern::format {
namespace {

using text::TokenKind;

constexpr std::string_view kDefaultUnknownSurface = " \xe2\x81\x87 ";  // " ⁇ "

// What the trainer and the normaliser say, with protobuf's defaults.
struct Model {
  int64_t type = 1;
  bool whitespace_as_suffix = false;
  bool byte_fallback = false;
  int64_t unknown = 0, bos = 1, eos = 2, padding = -1;
  std::string unknown_surface{kDefaultUnknownSurface};
  std::string charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

void read_piece(Bytes message, const std::string& file, VocabBuilder& out) {
  text::VocabSpec& spec = out.spec;
  ProtobufReader reader(message, file);
  std::string_view piece;
  float score = 0;
  int64_t type = 1;
  while (const auto field = reader.next()) {
    if (field->number == 1) piece = as_text(as_bytes(reader, *field, "piece"));
    if (field->number == 2) score = as_float(reader, *field, "piece score");
    if (field->number == 3) type = as_integer(reader, *field, "piece type");
  }
  if (piece.empty()) bad_input("{}: piece {}: a text expected, got none", file, spec.tokens.size());
  if (type < 1 || type > 6)
    bad_input("{}: piece {}: a type of 1 to 6 expected, got {}", file, spec.tokens.size(), type);
  if (!(score == score)) bad_input("{}: piece {}: a score expected", file, spec.tokens.size());
  if (!out.ids.add(piece, static_cast<int32_t>(spec.tokens.size())))
    bad_input("{}: unique pieces expected, got '{}' twice", file, printable(piece));
  spec.tokens.emplace_back(piece);
  spec.scores.push_back(score);
  spec.kinds.push_back(static_cast<TokenKind>(type - 1));
}

void read_trainer(Bytes message, const std::string& file, Model& model) {
  ProtobufReader reader(message, file);
  while (const auto field = reader.next()) {
    const auto integer = [&] { return as_integer(reader, *field, "trainer_spec"); };
    // Identifiers are 32 bits on the wire's 64.
    const auto id = [&] { return static_cast<int64_t>(static_cast<int32_t>(integer())); };
    switch (field->number) {
      case 3:
        model.type = integer();
        break;
      case 24:
        model.whitespace_as_suffix = integer() != 0;
        break;
      case 35:
        model.byte_fallback = integer() != 0;
        break;
      case 40:
        model.unknown = id();
        break;
      case 41:
        model.bos = id();
        break;
      case 42:
        model.eos = id();
        break;
      case 43:
        model.padding = id();
        break;
      case 44:
        model.unknown_surface = as_text(as_bytes(reader, *field, "trainer_spec.unk_surface"));
        break;
      default:
        break;
    }
  }
}

void read_normalizer(Bytes message, const std::string& file, Model& model) {
  ProtobufReader reader(message, file);
  while (const auto field = reader.next()) {
    const auto flag = [&] { return as_integer(reader, *field, "normalizer_spec") != 0; };
    if (field->number == 2) model.charsmap = as_text(as_bytes(reader, *field, "charsmap"));
    if (field->number == 3) model.add_dummy_prefix = flag();
    if (field->number == 4) model.remove_extra_whitespaces = flag();
    if (field->number == 5) model.escape_whitespaces = flag();
  }
}

void refuse_denormalizer(Bytes message, const std::string& file) {
  ProtobufReader reader(message, file);
  while (const auto field = reader.next())
    if (field->number == 2 && !field->bytes.empty())
      fail(ErrorKind::unsupported, "{}: denormalizer_spec: a charsmap is not supported yet", file);
}

// The invariants that SentencePiece checks at load.
void check_pieces(const Model& model, const text::VocabSpec& spec) {
  int64_t unknown_count = 0, byte_count = 0;
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    unknown_count += spec.kinds[i] == TokenKind::unknown;
    byte_count += spec.kinds[i] == TokenKind::byte;
  }
  if (unknown_count != 1)
    bad_input("{}: one piece of type unknown expected, got {}", spec.source, unknown_count);
  if (model.byte_fallback != (byte_count > 0) || (byte_count != 0 && byte_count != 256))
    bad_input("{}: {} byte pieces expected, got {}", spec.source, model.byte_fallback ? 256 : 0,
              byte_count);
}

// What a tokenizer class of transformers, or a family, adds and how it reads text behind special
// tokens. Classes that number the pieces anew (XLM-R, Pegasus, ...) are not here and refused.
struct ClassRow {
  std::string_view tokenizer_class, family;
  bool add_bos, add_eos;
};
constexpr ClassRow kClasses[] = {
    {"LlamaTokenizer", "llama", true, false},
    {"LlamaTokenizer", "mistral", true, false},
    {"LlamaTokenizer", "mixtral", true, false},
    {"CodeLlamaTokenizer", "code_llama", true, false},
    {"GemmaTokenizer", "gemma", true, false},
    {"GemmaTokenizer", "gemma2", true, false},
    {"GemmaTokenizer", "gemma3_text", true, false},
    {"T5Tokenizer", "t5", false, true},
    {"T5Tokenizer", "mt5", false, true},
    {"T5Tokenizer", "umt5", false, true},
    {"BaichuanTokenizer", "baichuan", false, false},
    {"InternLM2Tokenizer", "internlm2", true, false},
    {"TokenizersBackend", "", false, false},
    {"PreTrainedTokenizer", "", false, false},
};

const ClassRow* find_class(const VocabFiles& files, const text::VocabSpec& spec) {
  const auto get = [](const json::Document* document, std::string_view key) {
    return document == nullptr ? std::nullopt : document->root().get_string(key);
  };
  if (auto name = get(files.tokenizer_config, "tokenizer_class")) {
    if (name->ends_with("Fast")) name->remove_suffix(4);
    const auto row = std::ranges::find(kClasses, *name, &ClassRow::tokenizer_class);
    if (row == std::end(kClasses))
      fail(ErrorKind::unsupported,
           "{}: tokenizer_config.json: tokenizer_class '{}' is not supported with a SentencePiece "
           "model; convert it to tokenizer.json",
           spec.source, printable(*name));
    return row;
  }
  const auto family = get(files.config, "model_type");
  const auto row =
      family ? std::ranges::find(kClasses, *family, &ClassRow::family) : std::end(kClasses);
  return row == std::end(kClasses) ? nullptr : row;
}

void set_surroundings(const VocabFiles& files, text::VocabSpec& spec) {
  const auto flag = [&](std::string_view key) {
    return files.tokenizer_config == nullptr ? std::nullopt
                                             : files.tokenizer_config->root().get_boolean(key);
  };
  const ClassRow* row = find_class(files, spec);
  spec.add_bos = flag("add_bos_token").value_or(row != nullptr && row->add_bos) && spec.bos >= 0;
  spec.add_eos = flag("add_eos_token").value_or(row != nullptr && row->add_eos) && spec.eos >= 0;
  for (text::NormalizerStep& step : spec.normalizers) {
    step.sentencepiece.prefix_every_segment = flag("legacy").value_or(false);
    step.sentencepiece.add_dummy_prefix =
        flag("add_prefix_space").value_or(step.sentencepiece.add_dummy_prefix);
  }
  for (text::DecoderStep& step : spec.decoders)
    step.sentencepiece.add_dummy_prefix =
        flag("add_prefix_space").value_or(step.sentencepiece.add_dummy_prefix);
}

void set_stages(const Model& model, text::VocabSpec& spec) {
  text::NormalizerStep normalizer;
  normalizer.kind = text::NormalizerKind::sentencepiece;
  normalizer.content = model.charsmap;
  normalizer.sentencepiece.add_dummy_prefix = model.add_dummy_prefix;
  normalizer.sentencepiece.remove_extra_whitespaces = model.remove_extra_whitespaces;
  normalizer.sentencepiece.escape_whitespaces = model.escape_whitespaces;
  normalizer.sentencepiece.whitespace_as_suffix = model.whitespace_as_suffix;
  text::DecoderStep decoder;
  decoder.kind = text::DecoderKind::sentencepiece;
  decoder.content = model.unknown_surface;
  decoder.sentencepiece = normalizer.sentencepiece;
  spec.normalizers.push_back(std::move(normalizer));
  spec.decoders.push_back(std::move(decoder));
  spec.sentencepiece_symbols = true;
  spec.single_precision = true;
  spec.byte_fallback = model.byte_fallback;
}

Model read_model(Bytes bytes, const std::string& file, VocabBuilder& out) {
  Model model;
  ProtobufReader reader(bytes, file);
  while (const auto field = reader.next()) {
    if (field->number == 1) read_piece(as_bytes(reader, *field, "pieces"), file, out);
    if (field->number == 2) read_trainer(as_bytes(reader, *field, "trainer_spec"), file, model);
    if (field->number == 3)
      read_normalizer(as_bytes(reader, *field, "normalizer_spec"), file, model);
    if (field->number == 5)
      refuse_denormalizer(as_bytes(reader, *field, "denormalizer_spec"), file);
  }
  return model;
}

}  // namespace

text::VocabSpec vocab_from_sentencepiece(Bytes bytes, const std::string& file_name,
                                         const VocabFiles& files) {
  VocabBuilder out;
  text::VocabSpec& spec = out.spec;
  spec.source = file_name;
  const Model model = read_model(bytes, file_name, out);
  if (spec.tokens.empty()) bad_input("{}: pieces expected, got none", file_name);
  check_pieces(model, spec);
  if (model.type != 1 && model.type != 2)
    fail(ErrorKind::unsupported,
         "{}: trainer_spec.model_type: unigram (1) or BPE (2) expected, got {}", file_name,
         model.type);
  spec.model =
      model.type == 1 ? text::TokenizerModel::unigram : text::TokenizerModel::sentencepiece_bpe;
  set_stages(model, spec);
  const auto count = static_cast<int64_t>(spec.tokens.size());
  const auto id = [&](int64_t wanted) {
    return wanted >= 0 && wanted < count ? static_cast<int32_t>(wanted) : -1;
  };
  spec.bos = id(model.bos);
  spec.eos = id(model.eos);
  spec.padding = id(model.padding);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const auto token = static_cast<int32_t>(i);
    if (spec.kinds[i] == TokenKind::unknown) spec.unknown = token;
    if (spec.kinds[i] == TokenKind::control || spec.kinds[i] == TokenKind::unknown)
      spec.added.push_back({.id = token, .content = spec.tokens[i]});
  }
  out.model_size = count;
  read_added_tokens_decoder(files.tokenizer_config, out);
  read_special(files, out);
  set_surroundings(files, spec);
  return std::move(out.spec);
}

}  // namespace bittern::format
