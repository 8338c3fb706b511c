// The packed-weight cache: found is right, everything else is not found. Weights lie in a real
// file, as stamps, links and maps are the matter.
#include "backend/cpu/pack_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "backend/backend_support.h"
#include "base/digest.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

namespace fs = std::filesystem;
using backend::PackCache;
using backend::PackCacheOptions;
using backend::PackFolder;

constexpr int64_t kRows = 40, kColumns = 256;

// A file of two matrices [kRows, kColumns]: bf16 that is ternary, then Q8_0.
struct Weights {
  explicit Weights(const fs::path& file, uint64_t seed = 7) : path(file) {
    random::Sequence draw(seed);
    std::vector<float> ternary = random_values(draw, kRows * kColumns, 1.0f);
    for (float& value : ternary) value = value > 0.4f ? 0.5f : value < -0.4f ? -0.5f : 0.0f;
    const OwnedTensor first(codec::Id::bf16, kRows, kColumns, ternary);
    const OwnedTensor second(codec::Id::q8_0, kRows, kColumns,
                             random_values(draw, kRows * kColumns, 1.0f));
    std::ofstream out(file, std::ios::binary);
    for (const OwnedTensor* tensor : {&first, &second}) out << as_text(tensor->view().bytes);
    out.close();
    first_bytes = first.view().bytes.size();
    wait_until_settled();
  }

  // Until the clock has gone on: a change within one tick does not show in a stamp.
  void wait_until_settled() const {
    while (!FileMap::stamp_of(path)->settled) ::sched_yield();
  }

  TensorView view(const FileMap& map, bool ternary) const {
    TensorView view;
    view.name = ternary ? "ternary" : "eight bits";
    view.codec = ternary ? codec::Id::bf16 : codec::Id::q8_0;
    view.shape = {kRows, kColumns};
    view.bytes = ternary ? map.bytes().first(first_bytes) : map.bytes().subspan(first_bytes);
    return view;
  }

  fs::path path;
  size_t first_bytes = 0;
};

class PackCacheTest : public testing::Test {
 protected:
  TemporaryFolder folder;
  const fs::path packs = folder.path() / "packed";
  const Weights weights{folder.path() / "weights"};
  ThreadPool pool{2};
  std::FILE* messages = std::tmpfile();

  ~PackCacheTest() override { std::fclose(messages); }

  PackCacheOptions options() const {
    PackCacheOptions result;
    result.folder = packs;
    result.least_bytes = 0;
    result.reserve_bytes = 0;
    return result;
  }
  Log log() const { return Log(Log::Level::normal, messages); }
  std::string said() const {
    std::string text;
    std::rewind(messages);
    for (int c = 0; (c = std::fgetc(messages)) != EOF;) text += static_cast<char>(c);
    return text;
  }

  struct Load {
    bool hit = false;
    std::vector<float> values;  // of all layers for one input
    std::string layout;         // of the ternary one
    int64_t bytes = 0;
  };
  // Loads the matrices of a file (ternary or not), runs them, and writes the cache.
  Load load(const Weights& from, const PackCacheOptions& with,
            const std::vector<bool>& matrices = {true, false}) {
    const FileMap map = FileMap::open(from.path);
    PackCache cache(with, {&map, 1}, log());
    const auto cpu = backend::make_cpu_backend(pool, best_table(), {.cache = &cache});
    Load result;
    random::Sequence draw(3);
    const std::vector<float> input = random_values(draw, kColumns, 1.0f);
    for (const bool ternary : matrices) {
      const TensorView view = from.view(map, ternary);
      backend::LinearSource source;
      source.weight = &view;
      source.ternary = ternary;
      source.file = &map;
      const auto linear = cpu->pack(source);
      if (ternary) {
        result.layout = linear->layout;
        result.bytes = linear->resident_bytes;
      }
      OwnedActivations activations(1, kColumns, input);
      std::vector<float> out(kRows);
      cpu->linear(*linear, activations.in, out.data(), kRows);
      result.values.insert(result.values.end(), out.begin(), out.end());
    }
    cache.finish();
    result.hit = cache.state() == "mapped";
    return result;
  }
  Load load() { return load(weights, options()); }

  fs::path only_pack() const {
    const auto list = PackFolder(packs).list();
    EXPECT_EQ(list.size(), 1u);
    return list.empty() ? fs::path() : list[0].path;
  }
};

std::string read_all(const fs::path& path) { return read_text_file(path, int64_t{1} << 30); }
void write_all(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST_F(PackCacheTest, TheSecondLoadFindsWhatTheFirstHasPacked) {
  const Load first = load();
  EXPECT_FALSE(first.hit);
  const Load second = load();
  EXPECT_TRUE(second.hit);
  EXPECT_TRUE(same_bits(first.values, second.values));
  EXPECT_EQ(said(), "");
  // Content is the address: SHA-256 of the sources' SHA-256.
  Digest file(Digest::Kind::sha256);
  file.update(read_all(weights.path));
  std::string raw;
  const std::string hex = file.hex();
  for (size_t i = 0; i < hex.size(); i += 2)
    raw += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  Digest address(Digest::Kind::sha256);
  address.update(raw);
  EXPECT_EQ(only_pack().filename(), address.hex().substr(0, 32) + ".pack");
}

// Everything that decides what a packer makes decides what is found.
TEST_F(PackCacheTest, AnotherRequestIsNotFound) {
  const Load first = load();
  const FileMap map = FileMap::open(weights.path);
  PackCache cache(options(), {&map, 1}, log());
  const TensorView view = weights.view(map, true);
  const std::vector<int32_t> order = {1, 0, 2};
  float scale = 0.0f;
  const auto found = [&](const TensorView& weight, std::span<const int32_t> rows,
                         std::string_view layout) {
    const backend::PackRequest request{
        .weight = &weight, .row_order = rows, .layout = layout, .bytes = first.bytes};
    return cache.find(request, pool, scale).bytes() > 0;
  };
  EXPECT_TRUE(found(view, {}, first.layout));
  EXPECT_EQ(scale, 0.5f);
  EXPECT_FALSE(found(view, order, first.layout));
  EXPECT_FALSE(found(view, {}, "another"));
  TensorView other = view;
  other.scale = 2.0f;
  EXPECT_FALSE(found(other, {}, first.layout));
  other = view;
  other.codec = codec::Id::f16;
  EXPECT_FALSE(found(other, {}, first.layout));
  other = view;
  other.shape = {kRows / 2, kColumns * 2};
  EXPECT_FALSE(found(other, {}, first.layout));
  other = view;
  other.bytes = map.bytes().subspan(2, view.bytes.size());
  EXPECT_FALSE(found(other, {}, first.layout));
  other = view;
  other.bytes = map.bytes().first(view.bytes.size() - 2);
  EXPECT_FALSE(found(other, {}, first.layout));
  const std::string elsewhere(as_text(view.bytes));
  other.bytes = std::as_bytes(std::span(elsewhere));
  EXPECT_FALSE(found(other, {}, first.layout));
  EXPECT_TRUE(found(view, {}, first.layout));
  EXPECT_EQ(said(), "");
}

TEST_F(PackCacheTest, AChangeInPlaceIsSeenWhateverTheModificationTime) {
  const Load before = load();
  struct stat facts {};
  ASSERT_EQ(::stat(weights.path.c_str(), &facts), 0);
  std::string bytes = read_all(weights.path);
  bytes[1] = static_cast<char>(bytes[1] ^ 0x80);  // a sign
  std::fstream(weights.path, std::ios::in | std::ios::out | std::ios::binary) << bytes;
  const struct timespec times[2] = {facts.st_atim, facts.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, weights.path.c_str(), times, 0), 0);
  weights.wait_until_settled();
  const Load after = load();
  EXPECT_FALSE(after.hit);
  EXPECT_EQ(PackFolder(packs).list().size(), 2u);
  EXPECT_TRUE(load().hit);
}

// A file system whose stamps say nothing: the link leads to the pack of another file.
TEST_F(PackCacheTest, AnotherFileUnderTheSameStampIsSeen) {
  load();
  const fs::path pack = only_pack();
  const Weights other(folder.path() / "other", 8);
  const FileStamp stamp = *FileMap::stamp_of(other.path);
  PackFolder(packs).link({&stamp, 1}, pack);
  EXPECT_FALSE(load(other, options()).hit);
  EXPECT_NE(said().find("made of other files"), std::string::npos);
  EXPECT_TRUE(load(other, options()).hit);
}

TEST_F(PackCacheTest, CopiesShareAPack) {
  const Load first = load();
  const fs::path copy = folder.path() / "copy";
  fs::copy_file(weights.path, copy);
  Weights second = weights;
  second.path = copy;
  second.wait_until_settled();
  const fs::path pack = only_pack();
  const auto inode = FileMap::stamp_of(pack)->inode;
  EXPECT_FALSE(load(second, options()).hit);
  EXPECT_EQ(only_pack(), pack);
  EXPECT_EQ(FileMap::stamp_of(pack)->inode, inode);  // linked to, not written again
  const Load third = load(second, options());
  EXPECT_TRUE(third.hit);
  EXPECT_TRUE(same_bits(first.values, third.values));
}

TEST_F(PackCacheTest, APackGrowsByWhatIsAskedForLater) {
  load(weights, options(), {true});
  const auto small = fs::file_size(only_pack());
  EXPECT_FALSE(load(weights, options(), {false}).hit);
  EXPECT_GT(fs::file_size(only_pack()), small);
  EXPECT_TRUE(load(weights, options(), {true}).hit);
  EXPECT_TRUE(load(weights, options(), {false}).hit);
  EXPECT_TRUE(load().hit);
}

TEST_F(PackCacheTest, DamageIsSeenSaidAndMended) {
  const Load good = load();
  const fs::path pack = only_pack();
  const std::string whole = read_all(pack);
  std::vector<std::string> damaged = {"",
                                      "x",
                                      whole.substr(0, 39),
                                      whole.substr(0, 4096),
                                      whole.substr(0, whole.size() - 1),
                                      whole + "x"};
  // Fields of the header, entries, first and last byte of each payload.
  for (const size_t at : {size_t{0}, size_t{8}, size_t{12}, size_t{16}, size_t{24}, size_t{32},
                          size_t{40}, size_t{88}, size_t{104}, size_t{4096}, whole.size() - 1}) {
    damaged.push_back(whole);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 0x10);
  }
  for (size_t i = 0; i < damaged.size(); ++i) {
    SCOPED_TRACE(i);
    write_all(pack, damaged[i]);
    const size_t before = said().size();
    const Load mended = load();
    EXPECT_FALSE(mended.hit);
    EXPECT_TRUE(same_bits(good.values, mended.values));
    const std::string words = said().substr(before);
    EXPECT_EQ(std::ranges::count(words, '\n'), 1) << words;
    EXPECT_NE(words.find("packing the weights anew"), std::string::npos) << words;
    EXPECT_TRUE(read_all(pack) == whole);
    EXPECT_TRUE(load().hit);
  }
}

TEST_F(PackCacheTest, AFileThatChangesWhileItIsLoadedIsNotKept) {
  {
    const FileMap map = FileMap::open(weights.path);
    PackCache cache(options(), {&map, 1}, log());
    const TensorView view = weights.view(map, true);
    Region region(64, "test");
    cache.keep({.weight = &view, .layout = "T2", .bytes = 64}, backend::Packed(std::move(region)),
               1.0f);
    std::ofstream(weights.path, std::ios::app) << "more";
    cache.finish();
  }
  EXPECT_TRUE(PackFolder(packs).list().empty());
  EXPECT_NE(said().find("changed since it was opened"), std::string::npos);
}

TEST_F(PackCacheTest, WhatCannotBeWrittenIsAWarning) {
  PackCacheOptions blocked = options();
  blocked.folder = weights.path / "below a file";
  const Load first = load(weights, blocked);
  EXPECT_NE(said().find("packed weights are not kept"), std::string::npos);
  PackCacheOptions full = options();
  full.reserve_bytes = int64_t{1} << 60;
  EXPECT_TRUE(same_bits(first.values, load(weights, full).values));
  EXPECT_NE(said().find("free on the disk"), std::string::npos);
  EXPECT_TRUE(PackFolder(packs).list().empty());
}

TEST_F(PackCacheTest, SmallModelsAndOverLargeOnesAreNotKept) {
  PackCacheOptions with = options();
  with.least_bytes = 1 << 20;
  load(weights, with);
  with = options();
  with.limit_bytes = 1000;
  load(weights, with);
  EXPECT_TRUE(PackFolder(packs).list().empty());
  EXPECT_EQ(said(), "");
}

// Whoever ends at once leaves a whole pack or none.
TEST_F(PackCacheTest, WhatIsGivenUpLeavesNothing) {
  PackCacheOptions hasty = options();
  hasty.silent_wait = hasty.longest_wait = std::chrono::milliseconds(0);
  for (int i = 0; i < 10; ++i) {
    fs::remove_all(packs);
    load(weights, hasty);
    const bool kept = !PackFolder(packs).list().empty();
    for (const auto& entry : fs::directory_iterator(packs))
      EXPECT_NE(entry.path().extension(), ".part");
    EXPECT_EQ(said().find("packed weights are not kept") != std::string::npos, !kept);
    std::fseek(messages, 0, SEEK_SET);
    ASSERT_EQ(::ftruncate(::fileno(messages), 0), 0);
    EXPECT_EQ(load().hit, kept);
  }
}

TEST_F(PackCacheTest, OneWritesAtATime) {
  {
    const backend::PackLock lock(packs);
    ASSERT_TRUE(lock.held());
    load();
    EXPECT_TRUE(PackFolder(packs).list().empty());
  }
  load();
  EXPECT_TRUE(load().hit);
}

TEST_F(PackCacheTest, TensorsOfNoFileAreNotKept) {
  PackCache cache(options(), {}, log());
  const FileMap map = FileMap::open(weights.path);
  const TensorView view = weights.view(map, true);
  float scale = 0.0f;
  const backend::PackRequest request{.weight = &view, .layout = "T2", .bytes = 64};
  EXPECT_EQ(cache.find(request, pool, scale).bytes(), 0);
  EXPECT_EQ(cache.state(), "none");
  cache.keep(request, backend::Packed(Region(64, "test")), 1.0f);
  cache.finish();
  EXPECT_EQ(cache.state(), "packed");
  EXPECT_FALSE(fs::exists(packs));
}

TEST_F(PackCacheTest, RoomIsMadeByTheOldestUse) {
  const PackFolder folder_of_packs(packs);
  fs::create_directories(packs);
  const auto now = fs::file_time_type::clock::now();
  std::vector<fs::path> paths;
  for (int i = 0; i < 4; ++i) {
    paths.push_back(packs / (std::string(31, 'a') + std::to_string(i) + ".pack"));
    write_all(paths.back(), std::string(100, 'x'));
    fs::last_write_time(paths.back(), now - std::chrono::hours(10 - i));
  }
  const FileStamp stamp = *FileMap::stamp_of(weights.path);
  folder_of_packs.link({&stamp, 1}, paths[1]);
  EXPECT_EQ(folder_of_packs.find({&stamp, 1}), paths[1]);
  write_all(packs / "left.pack.part", "x");
  write_all(packs / "notes.txt", "x");
  PackFolder::touch(paths[0]);
  // 400 bytes are there and 100 more come; paths[3] will be replaced and does not count.
  folder_of_packs.make_room(100, 300, paths[3]);
  EXPECT_TRUE(fs::exists(paths[0]));
  EXPECT_FALSE(fs::exists(paths[1]));
  EXPECT_TRUE(fs::exists(paths[2]));
  EXPECT_TRUE(fs::exists(paths[3]));
  EXPECT_FALSE(fs::exists(packs / "left.pack.part"));
  EXPECT_TRUE(fs::exists(packs / "notes.txt"));
  EXPECT_EQ(folder_of_packs.find({&stamp, 1}), std::nullopt);
  for (const auto& entry : fs::directory_iterator(packs)) EXPECT_FALSE(entry.is_symlink());
}

TEST_F(PackCacheTest, PacksOfAModelAreRemovedByItsDigests) {
  load();
  Digest digest(Digest::Kind::sha256);
  digest.update(read_all(weights.path));
  const std::string sha256 = digest.hex();
  const PackFolder folder_of_packs(packs);
  const std::vector<std::string> others = {std::string(64, '0')};
  EXPECT_EQ(folder_of_packs.remove(&others), 0);
  const auto bytes = static_cast<int64_t>(fs::file_size(only_pack()));
  const std::vector<std::string> ours = {std::string(64, '0'), sha256};
  EXPECT_EQ(folder_of_packs.remove(&ours), bytes);
  EXPECT_TRUE(folder_of_packs.list().empty());
  EXPECT_FALSE(load().hit);
  EXPECT_GT(folder_of_packs.remove(nullptr), 0);
}

}  // namespace
}  // namespace bittern::test
