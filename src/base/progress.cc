#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/clock.h"

namespace bittern {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kUsualColumns = 80;
constexpr int kSmallestBar = 10;
constexpr int kLargestBar = 30;

int terminal_columns() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string bar(double share, int width) {
  const int full = static_cast<int>(share * width);
  std::string cells(static_cast<size_t>(full), '=');
  if (full < width) cells += '>';
  cells.resize(static_cast<size_t>(width), ' ');
  return fmt::format(" [{}]", cells);
}

}  // namespace

std::string format_bytes(double bytes) {
  constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", bytes, decimals, kUnits[unit]);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  const int64_t hours = whole / 3600;
  const int64_t minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

std::string Progress::render(const Facts& facts, int columns) {
  const double rate =
      facts.seconds > 0 ? static_cast<double>(facts.done - facts.skipped) / facts.seconds : 0.0;
  std::string speed = facts.unit == Unit::bytes
                          ? fmt::format("  {}/s", format_bytes(rate))
                          : fmt::format("  {:.{}f} {}/s", rate, rate < 10 ? 1 : 0, facts.item_name);
  const std::string note = facts.note.empty() ? "" : "  " + facts.note;
  speed += note;
  if (facts.total <= 0) {
    const std::string count = facts.unit == Unit::bytes
                                  ? format_bytes(static_cast<double>(facts.done))
                                  : fmt::format("{} {}", facts.done, facts.item_name);
    return fmt::format("{}  {}{}", facts.label, count, speed)
        .substr(0, static_cast<size_t>(std::max(0, columns)));
  }
  const double share =
      std::clamp(static_cast<double>(facts.done) / static_cast<double>(facts.total), 0.0, 1.0);
  const std::string head =
      fmt::format("{} {:3d}%", facts.label, static_cast<int>(std::floor(share * 100)));
  std::string tail = facts.done > 0 ? speed : note;
  if (rate > 0 && share < 1)
    tail += fmt::format("  {} left",
                        format_duration(static_cast<double>(facts.total - facts.done) / rate));
  constexpr int kBarFrame = 3;  // space and brackets
  const int room = columns - static_cast<int>(head.size() + tail.size()) - kBarFrame;
  const std::string middle =
      room >= kSmallestBar ? bar(share, std::min(room, kLargestBar)) : std::string();
  return (head + middle + tail).substr(0, static_cast<size_t>(std::max(0, columns)));
}

Progress::Progress(std::string label, int64_t total, Unit unit, std::string item_name, bool quiet)
    : facts_{std::move(label), 0, total, unit, std::move(item_name), 0, 0, {}},
      shown_(!quiet && stderr_is_terminal()),
      started_(monotonic_seconds()),
      last_drawn_(started_) {}

Progress::~Progress() {
  if (shown_) put("\r\x1b[K");
}

void Progress::skip(int64_t count) {
  facts_.done += count;
  facts_.skipped += count;
}

void Progress::advance(int64_t count) {
  facts_.done += count;
  if (!shown_) return;
  const double now = monotonic_seconds();
  if (now - last_drawn_ < kRedrawSeconds) return;
  last_drawn_ = now;
  facts_.seconds = now - started_;
  // One column less than there is: a full line would wrap on some terminals.
  put(fmt::format("\r{}\x1b[K", render(facts_, terminal_columns() - 1)));
}

}  // namespace bittern
