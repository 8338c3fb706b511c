// How long a step takes, learned from those that ran: what one with decoding rows alone takes, and
// what each row of a prompt adds. It says how much of a prompt may stand beside decoding rows; what
// is computed does not depend on it.
#pragma once

#include <array>
#include <cstdint>

namespace bittern::engine {

class StepCost {
 public:
  void observe(int64_t decode_rows, int64_t prompt_rows, double seconds);

  // Rows of prompts, at most `most`, so that a step of them and `decode_rows` takes no longer than
  // kGap steps of the decoding rows alone.
  int64_t prompt_rows(int64_t decode_rows, int64_t most) const;

  // How many of at most `most` guesses beside `decode_rows` rows are worth computing, where each is
  // right with `probability` if those before it are: as many as give the most tokens a second. None
  // before a step of the rows alone was seen; more rows than ever were tried count as free, so they
  // are tried.
  int64_t guess_rows(int64_t decode_rows, double probability, int64_t most) const;

  // What a step of so many decoding rows alone takes, between the numbers that were seen, or of the
  // nearest one; 0 where none was.
  double decode_seconds(int64_t rows) const;

  // Who decodes waits at most 4 of its own steps for a token; the rest is for what is mispredicted.
  static constexpr double kGap = 2.0;
  // However dear a row is, a prompt goes on by so many.
  static constexpr int64_t kLeastRows = 4;
  // Where nothing is known yet.
  static constexpr int64_t kFirstRows = 32;
  // What guesses have to gain before any is computed.
  static constexpr double kLeastGain = 1.03;

 private:
  static constexpr int64_t kRows = 128;                // steps of more count as this many
  std::array<double, kRows + 1> decode_seconds_ = {};  // by rows; 0: not seen
  double row_seconds_ = 0.0;
};

}  // namespace bittern::engine
