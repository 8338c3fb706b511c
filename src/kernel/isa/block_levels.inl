// The codebooks of block formats (kernel/block.h): what each code stands for. Included in the
// unnamed namespace of an ISA file, or of whoever unpacks strips.

struct Levels {
  int8_t of[16];
};

constexpr Levels kIq4Levels = {
    {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}};
constexpr Levels kFp4Levels = {{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}};
constexpr Levels kIq3XxsLevels = {
    {2, 6, 10, 14, 18, 22, 26, 31, -2, -6, -10, -14, -18, -22, -26, -31}};
constexpr Levels kIq3SLevels = {{1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15}};
// Of three bits; the fourth code of either sign is in no file.
constexpr Levels kIq2Levels = {{8, 25, 43, 0, -8, -25, -43, 0}};
constexpr Levels kIq1Levels = {{-7, 1, 9, 0, -9, -1, 7, 0}};

// By each codebook but `none`.
constexpr const Levels& levels_of(BlockCodebook codebook) {
  switch (codebook) {
    case BlockCodebook::none:
    case BlockCodebook::iq4_nl:
      return kIq4Levels;
    case BlockCodebook::fp4:
      return kFp4Levels;
    case BlockCodebook::iq3_xxs:
      return kIq3XxsLevels;
    case BlockCodebook::iq3_s:
      return kIq3SLevels;
    case BlockCodebook::iq2:
      return kIq2Levels;
    case BlockCodebook::iq1:
      return kIq1Levels;
  }
  return kIq4Levels;
}
