#include "model/mutation.h"

#include <gtest/gtest.h>

namespace bittern::test {

void expect_noticed(const Mutation& mutation) {
  const Golden golden = read_golden(mutation.golden);
  Subject subject;
  subject.checkpoint = open_case(mutation.files, mutation.config);
  subject.arch = model::find_architecture(subject.checkpoint);
  const bool is_gguf = subject.checkpoint.container == format::Container::gguf;
  subject.names = is_gguf ? *subject.arch.gguf : *subject.arch.hf;
  (is_gguf ? subject.arch.gguf : subject.arch.hf) = &subject.names;
  subject.config = model::read_config(subject.checkpoint, subject.arch);
  mutation.apply(subject);
  const auto model = model::bind(std::move(subject.checkpoint), subject.arch, subject.config,
                                 subject.backend, subject.context);
  const double error = relative_error(golden, Runner(*model, subject.backend).run(golden.ids));
  EXPECT_GT(error, 2.0 * mutation.tolerance);
}

}  // namespace bittern::test
