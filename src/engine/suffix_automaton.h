// Every substring of a growing text, in memory linear in its length: the suffix automaton of
// Blumer, Blumer, Haussler, Ehrenfeucht, Chen and Seiferas ("The smallest automaton recognizing the
// subwords of a text", 1985), built token by token. It says which is the longest end of the text
// that stood in it before, and where last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace bittern::engine {

class SuffixAutomaton {
 public:
  SuffixAutomaton();

  void append(int32_t token);
  int64_t length() const { return length_; }

  // The longest proper suffix of the text that also ends before its last token.
  struct Repeat {
    int64_t length = 0;  // 0: the last token is new
    int64_t end = 0;     // tokens up to and with an earlier place of it, the last one known
  };
  Repeat longest_repeat() const;

 private:
  struct State {
    int64_t length = 0;  // of the longest substring that ends here
    int32_t link = -1;   // the state of its longest suffix that also stands elsewhere
    int64_t end = 0;     // tokens up to and with a place of it
  };
  static uint64_t edge(int32_t state, int32_t token) {
    return static_cast<uint64_t>(static_cast<uint32_t>(state)) << 32 | static_cast<uint32_t>(token);
  }
  int32_t next(int32_t state, int32_t token) const;
  int32_t split(int32_t from, int32_t token, int32_t state);

  std::vector<State> states_;
  std::vector<std::vector<int32_t>> out_;  // tokens that lead on from a state
  std::unordered_map<uint64_t, int32_t> edges_;
  int32_t last_ = 0;
  int64_t length_ = 0;
};

}  // namespace bittern::engine
