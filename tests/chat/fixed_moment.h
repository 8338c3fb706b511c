// The moment that strftime_now saw where the stored texts were made: 2026-03-05 14:07:09, a
// Thursday.
#pragma once

#include <ctime>

namespace bittern::test {

inline std::tm fixed_moment() {
  std::tm moment{};
  moment.tm_year = 126;
  moment.tm_mon = 2;
  moment.tm_mday = 5;
  moment.tm_hour = 14;
  moment.tm_min = 7;
  moment.tm_sec = 9;
  moment.tm_wday = 4;
  moment.tm_yday = 63;
  return moment;
}

}  // namespace bittern::test
