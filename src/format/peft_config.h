// adapter_config.json of PEFT: what a LoRA adapter's tensors are multiplied by. Keys that change
// what the tensors mean are honoured or refused by name; those that only say how it was trained are
// passed over. Source: peft 0.21, LoraConfig and the layers it makes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/regex.h"

namespace bittern::format {

struct PeftConfig {
  std::string base_model;  // base_model_name_or_path, or empty
  int64_t rank = 8;
  double alpha = 8.0;
  bool rank_stabilised = false;  // alpha / sqrt(rank) in the place of alpha / rank
  bool has_rank_pattern = false;
  // The first whose pattern matches the end of a module's name, from a dot on, has its alpha.
  std::vector<std::pair<text::Regex, double>> alpha_pattern;
  std::vector<std::string> unknown_keys;  // that are set: nobody knows what they change

  // What B (A x) of a module is multiplied by; `module_rank` is its own.
  double scale_of(std::string_view module, int64_t module_rank) const;
};

// Throws Error{bad_input} naming the file, the field, expected and got; Error{unsupported} for what
// is understood and not computed here (DoRA, IA3, PiSSA residuals, ...).
PeftConfig parse_peft_config(const json::Value& root);

}  // namespace bittern::format
