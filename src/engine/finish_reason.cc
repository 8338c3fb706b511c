#include "engine/finish_reason.h"

namespace bittern::engine {

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop_token:
      return "stop_token";
    case FinishReason::stop_string:
      return "stop_string";
    case FinishReason::max_tokens:
      return "max_tokens";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::interrupted:
      return "interrupted";
    case FinishReason::failed:
      return "failed";
  }
  return "";
}

}  // namespace bittern::engine
