// The study folder: each kernel from the plainest way to the one that ships, every step checked
// against the first and timed in turns with the others, so that a reader sees what each idea is
// worth on the machine at hand. Programs here use instruction sets by function attributes and are
// no part of the library.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bittern::study {

// One way to do the work of a study.
struct Version {
  std::string_view name;  // "v2 AVX-512, row-major"
  std::string_view idea;  // a sentence
  std::function<void()> run;
  // What run() left, to be compared with what the first version left; `tolerance` relative to the
  // largest magnitude: 0 means bit for bit.
  std::function<std::vector<float>()> result;
  double tolerance = 0.0;
  // Bytes of weights that a call reads.
  double bytes = 0.0;
};

struct Study {
  std::string name;         // "ternary GEMV"
  std::string shape;        // "1 x 2560 x 4096"
  double operations = 0.0;  // of a call
  std::vector<Version> versions;
};

// Each returns its study with buffers that live as long as its functions do; versions that the
// machine cannot run are left out. `rows` of activations.
Study ternary_study(int64_t rows);
Study q4_study(int64_t rows);
Study attention_study();

// Features the study's own vector code may use here.
bool has_avx2();
bool has_avx512_vnni();
uint64_t cpu_features();

}  // namespace bittern::study
