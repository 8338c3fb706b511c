// The matrix of guarantees G2 to G6 at length (run by tests/oracles/test_exactness.py): for each
// format the 33 requests of generations.h, one of them of 256 tokens, each alone on one thread by
// the best table; then again by every table and with keys and values of every type, in ways that
// take together
//   batches of 1 to 33 requests, prompts in chunks of 1 to 512 rows, 1 to 4 threads
// (a quarter of them; with --all each). Arguments: --all, --small (smaller models of odd sizes),
// --list, names of formats. Prints a line for each format and the first thing that differs; exit
// status 1 where any does.
#include <chrono>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "bench/generations.h"

namespace bittern::test {
namespace {

constexpr int64_t kChunks[] = {512, 1,   33, 2, 64,  256, 3,   127, 16,  511, 5, 65,
                               100, 255, 17, 8, 300, 31,  128, 7,   257, 32,  63};

// Which ways of the 33 a table takes; the scalar one is a hundred times slower.
struct Share {
  int64_t first, step;
};
Share share_of(std::string_view table, bool all) {
  if (table == "scalar") return {12, 33};
  return all ? Share{0, 1} : Share{0, 4};
}

struct Subject {
  const ModelFormat& format;
  ModelSize size;
  bool all;
  int64_t ways = 0, differing = 0;
};

void compare(Subject& subject, const kernel::Table& table, int threads, backend::KvType kv,
             const std::vector<Trace>& alone) {
  std::unique_ptr<BoundModel> bound;
  const Share share = share_of(table.name, subject.all);
  for (int64_t way = share.first; way < 33; way += share.step) {
    if (way % 4 + 1 != threads) continue;
    if (!bound)
      bound = std::make_unique<BoundModel>(subject.format, Machine{&table, threads}, subject.size);
    std::vector<Request> asked = requests(33, bound->model().config.vocab_size);
    std::vector<Trace> expected = alone;
    if (std::string_view(table.name) == "scalar") {  // the short ones
      asked.erase(asked.begin(), asked.begin() + 2);
      expected.erase(expected.begin(), expected.begin() + 2);
    }
    const int64_t chunk = kChunks[way % static_cast<int64_t>(std::size(kChunks))];
    const auto got = generate(*bound, asked, {.batch = way + 1, .chunk = chunk, .kv = kv});
    ++subject.ways;
    if (got == expected) continue;
    ++subject.differing;
    fmt::print("{}: differs on {}, {} threads, batch {}, chunk {}, {} keys and values\n",
               subject.format.name, table.name, threads, way + 1, chunk, kv_name(kv));
  }
}

int64_t differing_ways(const ModelFormat& format, ModelSize size, bool all) {
  const auto begin = std::chrono::steady_clock::now();
  Subject subject{format, size, all};
  std::set<uint64_t> logits;
  for (const backend::KvType kv :
       {backend::KvType::f16, backend::KvType::int8, backend::KvType::f32}) {
    BoundModel one(format, {processor_tables(format).front(), 1}, size);
    const auto asked = requests(33, one.model().config.vocab_size);
    const auto alone = generate(one, asked, {.kv = kv});
    for (const Trace& trace : alone) logits.insert(trace.logits);
    for (const kernel::Table* table : processor_tables(format)) {
      for (int threads = 1; threads <= 4; ++threads) compare(subject, *table, threads, kv, alone);
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  // 33 requests and 3 types of keys and values: as many different sums, or the test sees nothing.
  if (logits.size() != 99) fmt::print("{}: only {} different traces\n", format.name, logits.size());
  fmt::print("{:<18} {:>4} ways, {} differ, {:.0f} s\n", format.name, subject.ways,
             subject.differing, seconds.count());
  std::fflush(stdout);
  return subject.differing + (logits.size() == 99 ? 0 : 1);
}

int run(int argument_count, char** arguments) {
  bool all = false, small = false;
  std::set<std::string> wanted;
  for (int i = 1; i < argument_count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--all") {
      all = true;
    } else if (argument == "--small") {
      small = true;
    } else if (argument == "--list") {
      for (const ModelFormat& format : model_formats()) fmt::print("{}\n", format.name);
      return 0;
    } else {
      wanted.emplace(argument);
    }
  }
  const bool every = wanted.empty();
  int64_t differing = 0;
  for (const ModelFormat& format : model_formats()) {
    if (!every && wanted.erase(format.name) == 0) continue;
    differing += differing_ways(format, small ? ModelSize::small : ModelSize::large, all);
  }
  for (const std::string& name : wanted) fail(ErrorKind::usage, "{}: no such format", name);
  return differing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace bittern::test

int main(int argument_count, char** arguments) {
  try {
    return bittern::test::run(argument_count, arguments);
  } catch (const bittern::Error& error) {
    fmt::print(stderr, "exactness: {}\n", error.message());
    return 2;
  }
}
