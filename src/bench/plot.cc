// Layout, in pixels: labels end at kBarLeft, bars run to kBarLeft + kBarWidth at most, their text
// follows; shares fill a frame of their own from kShareLeft. Every row is kRowHeight high.
#include "bench/plot.h"

#include <fmt/format.h>

#include <algorithm>

namespace bittern::bench {
namespace {

constexpr int kWidth = 900;
constexpr int kMargin = 24;
constexpr int kBarLeft = 210;
constexpr int kBarWidth = 260;
constexpr int kShareLeft = 640;
constexpr int kShareWidth = 110;
constexpr int kRowHeight = 24;
constexpr int kBarHeight = 14;
constexpr int kNoteHeight = 16;
constexpr int kGroupGap = 34;
constexpr std::string_view kInk = "#1f2933", kFaint = "#66727f", kBar = "#2f6f9f",
                           kShare = "#c9782b", kFrame = "#d5dbe1";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        // Control characters may not stand in XML.
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

class Drawing {
 public:
  void text(double x, double y, std::string_view words, int size, std::string_view colour,
            std::string_view anchor = "start", bool bold = false) {
    body_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" fill=\"{}\" "
        "text-anchor=\"{}\"{}>{}</text>\n",
        x, y, size, colour, anchor, bold ? " font-weight=\"bold\"" : "", escaped(words));
  }
  void bar(double x, double y, double width, double height, std::string_view colour) {
    body_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, y,
        width, height, colour);
  }
  void frame(double x, double y, double width, double height) {
    body_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"{}\"/>\n",
        x, y, width, height, kFrame);
  }
  void line(double x1, double y1, double x2, double y2, std::string_view colour) {
    body_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"1.5\"/>\n",
        x1, y1, x2, y2, colour);
  }
  std::string finish(int height) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
        kWidth, height, body_);
  }

 private:
  std::string body_;
};

void draw_row(Drawing& drawing, const PlotRow& row, double most, double top) {
  const double middle = top + kRowHeight / 2.0;
  const double bar_top = middle - kBarHeight / 2.0;
  const double baseline = middle + 4.0;
  const auto place = [&](double value) {
    return kBarLeft + kBarWidth * std::clamp(most > 0.0 ? value / most : 0.0, 0.0, 1.0);
  };
  drawing.text(kBarLeft - 10, baseline, row.label, 12, kInk, "end");
  drawing.bar(kBarLeft, bar_top, std::max(place(row.value) - kBarLeft, 1.0), kBarHeight, kBar);
  double text_left = place(row.value);
  if (row.high > row.low) {
    const double low = place(row.low), high = place(row.high);
    drawing.line(low, middle, high, middle, kInk);
    drawing.line(low, middle - 4, low, middle + 4, kInk);
    drawing.line(high, middle - 4, high, middle + 4, kInk);
    text_left = std::max(text_left, high);
  }
  drawing.text(text_left + 8, baseline, row.value_text, 12, kInk);
  if (row.share < 0.0) return;
  drawing.frame(kShareLeft, bar_top, kShareWidth, kBarHeight);
  drawing.bar(kShareLeft, bar_top, kShareWidth * std::clamp(row.share, 0.0, 1.0), kBarHeight,
              kShare);
  drawing.text(kShareLeft + kShareWidth + 8, baseline, row.share_text, 11, kInk);
}

}  // namespace

std::string to_svg(const Plot& plot) {
  Drawing drawing;
  double y = kMargin + 14;
  drawing.text(kMargin, y, plot.title, 18, kInk, "start", true);
  for (const std::string& note : plot.notes) {
    y += kNoteHeight;
    drawing.text(kMargin, y + 4, note, 11, kFaint);
  }
  for (const PlotGroup& group : plot.groups) {
    y += kGroupGap;
    drawing.text(kMargin, y, group.title, 13, kInk, "start", true);
    drawing.text(kShareLeft, y, "share of the limit", 11, kFaint);
    y += 8;
    double most = 0.0;
    for (const PlotRow& row : group.rows) most = std::max({most, row.value, row.high});
    for (const PlotRow& row : group.rows) {
      draw_row(drawing, row, most, y);
      y += kRowHeight;
    }
  }
  return drawing.finish(static_cast<int>(y) + kMargin);
}

}  // namespace bittern::bench
