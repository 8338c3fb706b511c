// A trait flipped on purpose: the comparison with the reference's logits must then fail. What
// survives would be a trait that no golden test watches. Runs on the double backend, whose
// unmutated agreement the golden tests show.
#pragma once

#include <functional>
#include <ostream>

#include "model/golden.h"
#include "model/mutant_backend.h"
#include "model/reference_backend.h"

namespace bittern::test {

// Everything that a mutation may change before the model is bound.
struct Subject {
  format::Checkpoint checkpoint;
  model::ArchSpec arch;
  model::TensorNames names;  // a copy; `arch` reads from it
  model::Config config;
  MutantBackend backend{make_reference_backend()};
  int64_t context = 40;
};

struct Mutation {
  const char* name;
  const char* files;
  const char* config;
  const char* golden;
  double tolerance;
  std::function<void(Subject&)> apply;
};

inline void PrintTo(const Mutation& item, std::ostream* out) { *out << item.name; }

// Binds the mutant and expects an error of more than twice the tolerance.
void expect_noticed(const Mutation& mutation);

}  // namespace bittern::test
