// Damaged files: every truncation and every flipped bit of small valid ones either opens or is
// refused with an Error. Nothing else may happen; sanitizer builds of this test look closer.
#include <gtest/gtest.h>

#include <functional>

#include "format/format_support.h"
#include "format/safetensors/shards.h"
#include "format/vocab.h"
#include "temporary_folder.h"
#include "throws.h"

namespace bittern::format {
namespace {

using Open = std::function<void(const std::string&)>;

struct Kind {
  const char* golden;
  // Bytes at the end that carry nothing (padding behind the last tensor, a last line feed);
  // losing any byte before them must be an error.
  size_t idle_bytes;
  Open open;
};

// Opens a copy of the bytes that ends exactly where it says, so that reading past it is seen.
std::string exact(const std::string& bytes) {
  std::string copy(bytes);
  copy.shrink_to_fit();
  return copy;
}

void read_values(const Checkpoint& checkpoint) {
  for (const TensorView& tensor : checkpoint.tensors) test::values_of(tensor);
}

std::vector<Kind> kinds_in_memory() {
  const Open gguf = [](const std::string& bytes) { read_values(test::open_gguf(bytes)); };
  const Open gguf2 = [](std::string bytes) {
    if (bytes.size() > 4) bytes[4] = 2;
    read_values(test::open_gguf(bytes));
  };
  const Open vocab = [](const std::string& bytes) { read_vocab(test::open_gguf(bytes)); };
  const Open safetensors = [](const std::string& bytes) {
    read_values(test::open_safetensors(bytes));
  };
  const Open index = [](const std::string& bytes) { safetensors::parse_index(bytes, "i"); };
  const Open json = [](const std::string& bytes) { json::Document::parse(bytes, "j"); };
  const Open tokenizer = [](const std::string& bytes) {
    vocab_from_tokenizer_json(*json::Document::parse(bytes, "t"));
  };
  return {{"plain.gguf", 28, gguf},
          {"plain.gguf", 28, gguf2},
          {"bitnet_i2_s.gguf", 16, gguf},
          {"vocab_llama3.gguf", 14, vocab},
          {"plain.safetensors", 0, safetensors},
          {"hf_sharded/model.safetensors.index.json", 1, index},
          {"hf_single/config.json", 1, json},
          {"tokenizer_llama3.json", 0, tokenizer},
          {"tokenizer_qwen2.json", 0, tokenizer}};
}

TEST(Damage, TruncationAtEveryByte) {
  for (const Kind& kind : kinds_in_memory()) {
    const std::string whole = test::read_golden(kind.golden);
    ASSERT_EQ(test::message_of([&] { kind.open(whole); }), "(nothing thrown)") << kind.golden;
    for (size_t length = 0; length < whole.size(); ++length) {
      const std::string cut = exact(whole.substr(0, length));
      const auto thrown = test::thrown_by([&] { kind.open(cut); });
      EXPECT_EQ(thrown.has_value(), length < whole.size() - kind.idle_bytes)
          << kind.golden << " cut to " << length;
    }
  }
}

// Data bytes carry no structure, so only what lies before them is flipped.
size_t structured_bytes(const std::string& name, const std::string& bytes) {
  return name == "plain.gguf" ? bytes.find("matrix.tq2_0") + 64 : bytes.size();
}

TEST(Damage, EveryFlippedBit) {
  for (const Kind& kind : kinds_in_memory()) {
    const std::string whole = test::read_golden(kind.golden);
    const size_t end = structured_bytes(kind.golden, whole);
    for (size_t bit = 0; bit < end * 8; ++bit) {
      std::string flipped = exact(whole);
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      test::thrown_by([&] { kind.open(flipped); });
    }
  }
}

// A split set and a folder need the disk: cut every file of them in turn.
void truncate_files(const std::filesystem::path& golden, const std::string& opened,
                    const std::function<size_t(const std::filesystem::path&)>& idle_bytes) {
  const test::TemporaryFolder folder;
  const auto copy = folder.path() / "copy";
  std::filesystem::copy(golden, copy);
  const auto path = opened.empty() ? copy : copy / opened;
  ASSERT_EQ(test::message_of([&] { open_checkpoint(path); }), "(nothing thrown)");
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    const auto file = copy / entry.path().filename();
    const std::string whole = test::read_file(file);
    for (size_t length = whole.size(); length-- > 0;) {
      std::filesystem::resize_file(file, length);
      const auto thrown = test::thrown_by([&] { open_checkpoint(path); });
      EXPECT_EQ(thrown.has_value(), length < whole.size() - idle_bytes(file))
          << file << " cut to " << length;
    }
    folder.write(std::filesystem::path("copy") / file.filename(), whole);
  }
}

TEST(Damage, TruncatedSplitSet) {
  truncate_files(test::golden("split"), "split-00002-of-00003.gguf",
                 [](const auto&) { return size_t{8}; });
}

TEST(Damage, TruncatedFolder) {
  truncate_files(test::golden("hf_sharded"), "", [](const std::filesystem::path& file) {
    return file.extension() == ".json" ? size_t{1} : size_t{0};
  });
}

}  // namespace
}  // namespace bittern::format
