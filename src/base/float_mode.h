// The floating-point mode in which all arithmetic here runs: round to nearest even, denormals
// kept, exceptions masked. A host program or an earlier library may have set another one (a
// shared object linked with -ffast-math flushes denormals for the whole process), and bits would
// then depend on who ran before.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace bittern {

// Sets the default mode for the current thread and restores the former one at the end of scope.
class DefaultFloatMode {
 public:
  DefaultFloatMode() noexcept : former_(read()) { write(kDefault); }
  ~DefaultFloatMode() { write(former_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
#if defined(__x86_64__)
  using Word = uint32_t;
  static constexpr Word kDefault = 0x1f80;  // MXCSR after reset
  static Word read() noexcept { return _mm_getcsr(); }
  static void write(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kDefault = 0;  // FPCR after reset
  static Word read() noexcept {
    Word word = 0;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) noexcept { asm volatile("msr fpcr, %0" : : "r"(word)); }
#else
  using Word = uint32_t;
  static constexpr Word kDefault = 0;
  static Word read() noexcept { return 0; }
  static void write(Word) noexcept {}
#endif

  Word former_;
};

}  // namespace bittern
