// A backend in plain loops and double precision: the oracle of tests/model. Knows no page tricks
// and no vectors; every KV type keeps exact values.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace bittern::test {

std::unique_ptr<backend::Backend> make_reference_backend();

}  // namespace bittern::test
