// What a caller asks for, as the engine's Request.
#pragma once

#include <bittern.h>

#include "api/instance.h"
#include "engine/request.h"

namespace bittern::api {

// The defaults: the model's own, where there is one, and a seed that is drawn here.
bittern_generate_options default_generate_options(const bittern_model* model);

// Copies all that `given` refers to. Throws Error{usage} naming the field, what the grammar's
// compiler throws, and what the tokenizer and the chat template throw.
engine::Request request_of(Instance& instance, const bittern_generate_options* given);

// Size of the struct in the first version of the API.
inline constexpr size_t kGenerateOptionsFirstSize =
    offsetof(bittern_generate_options, tenant) + sizeof(bittern_generate_options::tenant);

}  // namespace bittern::api
