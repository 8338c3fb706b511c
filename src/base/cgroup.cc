#include "base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bittern::cgroup {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// A decimal number; nothing for "max", for a missing file and for a negative one ("no limit").
std::optional<int64_t> number(const fs::path& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (!(file >> value) || value < 0) return std::nullopt;
  return value;
}

bool lists(const std::string& controllers, const std::string& wanted) {
  std::istringstream stream(controllers);
  for (std::string one; std::getline(stream, one, ',');)
    if (one == wanted) return true;
  return false;
}

struct Tree {
  fs::path root;
  fs::path inside;  // this process's group, relative to root
  bool version2;
};

// The trees that may limit `controller`: lines are "id:controllers:/path", version 2 is "0::/path".
std::vector<Tree> trees_of(const Source& source, const std::string& controller) {
  std::vector<Tree> trees;
  std::ifstream file(source.membership);
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path inside = fs::path(line.substr(second + 1)).relative_path();
    if (controllers.empty()) {
      trees.push_back({source.mount, inside, true});
      trees.push_back({source.mount / "unified", inside, true});  // mounted beside version 1
    } else if (lists(controllers, controller)) {
      trees.push_back({source.mount / controller, inside, false});
    }
  }
  return trees;
}

// The tightest limit that `read(folder, version2)` finds in the trees, from leaf to root.
template <typename T, typename Read>
std::optional<T> tightest(const Source& source, const std::string& controller, const Read& read) {
  std::optional<T> result;
  for (const Tree& tree : trees_of(source, controller)) {
    for (fs::path inside = tree.inside;; inside = inside.parent_path()) {
      const std::optional<T> limit = read(tree.root / inside, tree.version2);
      if (limit) result = result ? std::min(*result, *limit) : *limit;
      if (inside.empty()) break;
    }
  }
  return result;
}

std::optional<double> quota_of(const fs::path& folder, bool version2) {
  if (version2) {  // "150000 100000" or "max 100000"
    std::istringstream line(first_line(folder / "cpu.max").value_or(""));
    double quota = 0;
    double period = 0;
    if (!(line >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
    return quota / period;
  }
  const auto quota = number(folder / "cpu.cfs_quota_us");  // -1: no limit
  const auto period = number(folder / "cpu.cfs_period_us");
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

// Page cache of the group and those below it, which the kernel gives back under pressure.
int64_t reclaimable(const fs::path& folder, bool version2) {
  std::ifstream file(folder / "memory.stat");
  const std::string prefix = version2 ? "" : "total_";
  int64_t sum = 0;
  std::string name;
  for (int64_t value = 0; file >> name >> value;)
    if (name == prefix + "inactive_file" || name == prefix + "active_file") sum += value;
  return sum;
}

std::optional<int64_t> memory_left_of(const fs::path& folder, bool version2) {
  const auto limit = number(folder / (version2 ? "memory.max" : "memory.limit_in_bytes"));
  const auto usage = number(folder / (version2 ? "memory.current" : "memory.usage_in_bytes"));
  constexpr int64_t kNoLimit = int64_t{1} << 62;  // version 1 writes a huge number instead
  if (!limit || !usage || *limit >= kNoLimit) return std::nullopt;
  const int64_t held = std::max<int64_t>(0, *usage - reclaimable(folder, version2));
  return std::max<int64_t>(0, *limit - held);
}

}  // namespace

std::optional<double> cpu_quota(const Source& source) {
  return tightest<double>(source, "cpu", quota_of);
}

std::optional<int64_t> memory_left(const Source& source) {
  return tightest<int64_t>(source, "memory", memory_left_of);
}

}  // namespace bittern::cgroup
