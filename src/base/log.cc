#include "base/log.h"

namespace bittern {

void Log::write(std::string_view prefix, std::string_view line) const {
  const std::string whole = fmt::format("{}{}\n", prefix, line);
  std::fwrite(whole.data(), 1, whole.size(), out_);
  std::fflush(out_);
}

}  // namespace bittern
