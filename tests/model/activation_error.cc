// The table of docs/guarantees.md: a model's matrices in bf16 and in every block format in turn,
// and what activations of bf16 and of int8 cost its logits.
//
//   activation_error MODEL [FORMAT...]
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>

#include "base/cpu.h"
#include "codec/codec.h"
#include "format/vocab.h"
#include "kernel/block_pack.h"
#include "model/recoded.h"
#include "text/tokenizer.h"

namespace bittern::test {
namespace {

constexpr size_t kTokens = 128;
constexpr int64_t kAllLayers = int64_t{1} << 20;
constexpr std::string_view kText =
    "Once upon a time there was an old mill by the river, and the miller had three sons. When he "
    "died they divided what he left: the eldest took the mill, the second the donkey, and the "
    "youngest got nothing but the cat. \"What am I to do?\" he said. \"My brothers can earn their "
    "living together, but I shall surely starve.\" The cat, who had heard all this, said to him "
    "with a grave face: \"Do not trouble yourself, master. Give me a sack and a pair of boots, and "
    "you will see that you are not so badly off as you think.\"";

void run(const char* path, std::span<char* const> formats) {
  const format::Checkpoint checkpoint = format::open_checkpoint(path);
  const auto tokenizer = text::Tokenizer::build(format::read_vocab(checkpoint));
  std::vector<int32_t> ids = tokenizer->encode(kText);
  ids.resize(std::min(ids.size(), kTokens));
  fmt::print("{}, {} tokens\n", path, ids.size());
  for (const codec::Codec& codec : codec::table()) {
    if (kernel::block_layout(codec.id) == nullptr && codec.id != codec::Id::bf16) continue;
    const auto is_codec = [&](const char* name) { return codec::find(name) == &codec; };
    if (!formats.empty() && std::ranges::none_of(formats, is_codec)) continue;
    const ActivationError error =
        activation_error(path, codec.id, kAllLayers, ids, cpu::usable_core_count());
    fmt::print("{:<8} {:.0f} % of the weights: greatest {:.1e}, rms {:.1e}\n", codec.name,
               100.0 * error.coded_share, error.greatest, error.rms);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace bittern::test

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    bittern::test::run(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
