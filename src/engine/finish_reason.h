// Why a text ended.
#pragma once

#include <cstdint>
#include <string_view>

namespace bittern::engine {

enum class FinishReason : uint8_t {
  stop_token,
  stop_string,
  max_tokens,
  context_full,
  interrupted,  // by whoever asked for it
  failed        // no token could be chosen
};

// As in --json: "stop_token", "stop_string", "max_tokens", "context_full", "interrupted", "failed".
std::string_view finish_reason_name(FinishReason reason);

}  // namespace bittern::engine
