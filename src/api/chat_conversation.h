// A conversation as callers give it (an array of roles and contents, and JSON for what that cannot
// say), put into the model's chat template.
#pragma once

#include <bittern.h>

#include <span>

#include "api/instance.h"
#include "engine/chat_prompt.h"

namespace bittern::api {

// `json` may be null. Throws Error{usage} for a member that is not known or of another kind, and
// what the template throws.
engine::Prompt render_chat(Instance& instance, std::span<const bittern_message> messages,
                           const char* json);

}  // namespace bittern::api
