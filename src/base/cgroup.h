// Limits that a control group (container, service, batch job) puts on this process. The limit of
// every ancestor holds too, so each is read on the way up and the tightest one counts.
// Version 2 has one tree (cpu.max, memory.max); version 1 one tree per controller
// (cpu.cfs_quota_us, memory.limit_in_bytes). A container often sees only its own part, mounted as
// the root: folders that are absent are passed over.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace bittern::cgroup {

// Where the facts lie; tests point it at a made-up tree.
struct Source {
  std::filesystem::path membership = "/proc/self/cgroup";
  std::filesystem::path mount = "/sys/fs/cgroup";
};

// Processor time per wall time, in cores (may be fractional); nothing where not limited.
std::optional<double> cpu_quota(const Source& source = {});

// Bytes that may still be taken before the tightest limit; page cache counts as free, because the
// kernel drops it first. Nothing where not limited.
std::optional<int64_t> memory_left(const Source& source = {});

}  // namespace bittern::cgroup
