// Control-group limits read from made-up trees of both versions.

#include "base/cgroup.h"

#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace bittern::cgroup {
namespace {

// A made-up /proc/self/cgroup and /sys/fs/cgroup.
class Cgroup : public testing::Test {
 protected:
  void membership(std::string_view lines) { folder_.write("membership", lines); }
  void file(std::string_view name, std::string_view text) {
    folder_.write(std::filesystem::path("mount") / name, text);
  }
  Source source() const { return {folder_.path() / "membership", folder_.path() / "mount"}; }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Cgroup, NothingIsNoLimit) {
  EXPECT_EQ(cpu_quota(source()), std::nullopt);
  EXPECT_EQ(memory_left(source()), std::nullopt);
  membership("0::/\n");
  EXPECT_EQ(cpu_quota(source()), std::nullopt);
  EXPECT_EQ(memory_left(source()), std::nullopt);
}

TEST_F(Cgroup, Version2TakesTheTightestOnTheWayUp) {
  membership("0::/batch/job\n");
  file("batch/job/cpu.max", "max 100000\n");
  file("batch/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_quota(source()), 1.5);
  file("batch/job/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(source()), 0.5);
  file("batch/job/cpu.max", "400000 100000\n");
  EXPECT_EQ(cpu_quota(source()), 1.5);
}

TEST_F(Cgroup, Version2MemoryCountsPageCacheAsFree) {
  membership("0::/job\n");
  file("job/memory.max", "1000000\n");
  file("job/memory.current", "900000\n");
  EXPECT_EQ(memory_left(source()), 100000);
  file("job/memory.stat", "anon 200000\ninactive_file 300000\nactive_file 50000\nfile 700000\n");
  EXPECT_EQ(memory_left(source()), 450000);
  file("job/memory.max", "max\n");
  EXPECT_EQ(memory_left(source()), std::nullopt);
}

TEST_F(Cgroup, MemoryOverTheLimitLeavesNothing) {
  membership("0::/job\n");
  file("job/memory.max", "1000\n");
  file("job/memory.current", "2000\n");
  EXPECT_EQ(memory_left(source()), 0);
}

TEST_F(Cgroup, Version1) {
  membership("9:name=systemd:/x\n4:memory:/job\n1:cpu,cpuacct:/job\n");
  file("cpu/job/cpu.cfs_quota_us", "250000\n");
  file("cpu/job/cpu.cfs_period_us", "100000\n");
  file("memory/job/memory.limit_in_bytes", "5000\n");
  file("memory/job/memory.usage_in_bytes", "3000\n");
  file("memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n");
  EXPECT_EQ(cpu_quota(source()), 2.5);
  EXPECT_EQ(memory_left(source()), 3000);
  file("cpu/job/cpu.cfs_quota_us", "-1\n");
  file("memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(cpu_quota(source()), std::nullopt);
  EXPECT_EQ(memory_left(source()), std::nullopt);
}

// A container that sees only its own part: the path of the host does not exist below the mount.
TEST_F(Cgroup, AbsentFoldersArePassedOver) {
  membership("0::/machine/container/deep\n");
  file("cpu.max", "100000 100000\n");
  EXPECT_EQ(cpu_quota(source()), 1.0);
}

TEST_F(Cgroup, Version2MountedBesideVersion1) {
  membership("1:name=systemd:/\n0::/job\n");
  file("unified/job/cpu.max", "300000 100000\n");
  EXPECT_EQ(cpu_quota(source()), 3.0);
}

TEST_F(Cgroup, RubbishIsNoLimit) {
  membership("garbage\n::\n0::/job\n");
  file("job/cpu.max", "abc\n");
  file("job/memory.max", "abc\n");
  file("job/memory.current", "");
  EXPECT_EQ(cpu_quota(source()), std::nullopt);
  EXPECT_EQ(memory_left(source()), std::nullopt);
}

}  // namespace
}  // namespace bittern::cgroup
