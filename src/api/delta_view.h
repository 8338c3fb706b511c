// A delta as callers see it: bittern_delta points into what is kept here.
#pragma once

#include <bittern.h>

#include <vector>

#include "engine/request.h"

namespace bittern::api {

class DeltaView {
 public:
  // Valid until the next call.
  const bittern_delta* show(engine::Delta delta);

 private:
  // Rows of log-probabilities, flat.
  struct Rows {
    std::vector<bittern_logprob> chosen, top;
    size_t top_count = 0;

    void set(const std::vector<engine::LogProbabilities>& values);
  };

  engine::Delta delta_;
  Rows text_rows_, prompt_rows_;
  bittern_delta shown_ = {};
};

}  // namespace bittern::api
