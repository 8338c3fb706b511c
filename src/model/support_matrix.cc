// One line a row of the table, every cell derived from the fields that the forward obeys.
#include "model/support_matrix.h"

#include <fmt/format.h>

#include "model/arch.h"

namespace bittern::model {
namespace {

constexpr std::string_view kHead =
    "# Model families\n"
    "\n"
    "Written by `models_page` from src/model/arch_table.cc; do not edit. A family is a row there;\n"
    "docs/porting.md tells how to add one. Each is held against logits that transformers gave\n"
    "(tests/model/families_test.cc, golden_test.cc), in every container the table names, and each\n"
    "of its traits has a test that fails when the trait is switched off.\n"
    "\n"
    "| family | Hugging Face class | GGUF | norms | branches | positions | queries and keys | "
    "feed-forward |\n"
    "|---|---|---|---|---|---|---|---|\n";

constexpr std::string_view kFoot =
    "\n"
    "Read from the file, whatever the family: sizes, head size, grouped and single key heads,\n"
    "biases, tied or own head, rotary scaling (linear, dynamic, llama3, yarn, longrope; by layer\n"
    "type too), sliding windows by layer, layers without rotation, attention and logit caps,\n"
    "multipliers of embedding, attention, branches and logits, W1.58A8 quantisation (packed,\n"
    "masters, modules left out), PrismML's rotated inputs.\n"
    "\n"
    "Refused by name rather than run wrong: ALiBi, clipped projections, shared experts, sigmoid\n"
    "routers, multi-head latent attention, recurrent mixers, attention sinks, encoders with\n"
    "decoders, quantisation methods other than bitnet (GPTQ, AWQ, ...), and any file that sets a\n"
    "number-changing key which its family does not read.\n";

std::string_view activation_name(backend::Activation activation) {
  switch (activation) {
    case backend::Activation::silu:
      return "SiLU";
    case backend::Activation::relu:
      return "ReLU";
    case backend::Activation::relu2:
      return "ReLU^2";
    case backend::Activation::gelu:
      return "GELU";
    case backend::Activation::gelu_tanh:
      return "GELU (tanh)";
  }
  return "";
}

std::string gguf_cell(const ArchSpec& arch) {
  if (arch.gguf_names.empty()) return fmt::format("as {}", arch.gguf_as);
  return fmt::format("{}", fmt::join(arch.gguf_names, ", "));
}

std::string norm_cell(const ArchSpec& arch) {
  const bool before = !arch.hf->attention_norm.empty();
  const bool behind = !arch.hf->attention_post_norm.empty();
  std::string text = arch.norm == NormKind::rms ? "RMS" : "LayerNorm";
  if (arch.hf_norm_plus_one) text += ", 1 + w";
  text += before && behind ? ", before and behind" : behind ? ", behind" : ", before";
  if (!arch.hf->embedding_norm.empty()) text += ", of the embedding";
  if (arch.sub_norms) text += ", SubLN";
  return text;
}

std::string_view branch_cell(const ArchSpec& arch) {
  switch (arch.residual) {
    case Residual::sequential:
      return "one after the other";
    case Residual::parallel:
      return "parallel";
    case Residual::normalised:
      return "norm of the sum";
  }
  return "";
}

std::string position_cell(const ArchSpec& arch) {
  if (!arch.rotary) return "learned";
  std::string text = arch.pairing == backend::RopePairing::half ? "rotary" : "rotary, interleaved";
  if (arch.default_partial != 1.0) text += ", part of a head";
  return text;
}

std::string query_cell(const ArchSpec& arch) {
  std::string text;
  const auto add = [&](std::string_view part) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", part);
  };
  if (arch.encoder) add("sees both ways");
  if (!arch.hf->query_key_value.empty()) {
    add(arch.hf->fused_layout == FusedLayout::grouped ? "fused by key head" : "fused");
  }
  if (arch.hf->transposed) add("stored transposed");
  if (arch.head_norm == HeadNorm::shared) add("norm per head");
  if (arch.head_norm == HeadNorm::full) add("norm over all heads");
  return text.empty() ? "-" : text;
}

std::string ffn_cell(const ArchSpec& arch) {
  std::string text =
      fmt::format("{}{}", arch.gated ? "gated " : "", activation_name(arch.activation));
  if (!arch.hf->router.empty()) text += ", experts";
  if (arch.ternary) text += ", W1.58A8";
  return text;
}

}  // namespace

std::string support_matrix() {
  std::string page(kHead);
  for (const ArchSpec& arch : arch_table()) {
    page += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", arch.name,
                        fmt::join(arch.hf_classes, ", "), gguf_cell(arch), norm_cell(arch),
                        branch_cell(arch), position_cell(arch), query_cell(arch), ffn_cell(arch));
  }
  page += kFoot;
  return page;
}

}  // namespace bittern::model
