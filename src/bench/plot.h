// A plot of bars as an SVG document of its own: groups of rows, each row a label, a bar with its
// spread as a whisker, and beside it the share of the limit. No script, no external font, legible
// on white and in print.
#pragma once

#include <string>
#include <vector>

namespace bittern::bench {

struct PlotRow {
  std::string label;
  double value = 0.0, low = 0.0, high = 0.0;  // the bar and the ends of its whisker
  std::string value_text;                     // "41.8 tokens/s"
  double share = -1.0;                        // 0 to 1; negative: none is known
  std::string share_text;                     // "87 % of memory"
};

// Rows that share a scale.
struct PlotGroup {
  std::string title;
  std::vector<PlotRow> rows;
};

struct Plot {
  std::string title;
  std::vector<std::string> notes;  // lines under the title: machine, limits
  std::vector<PlotGroup> groups;
};

std::string to_svg(const Plot& plot);

}  // namespace bittern::bench
