// Nothing in the kernel table goes unproved: every function of every table that this machine runs
// meets the inputs of entry_checks.h, and a function, a format or a table that the headers declare
// and that has no check there fails. The families' own tests hold the scalar table to arithmetic
// written out again; here the others are held to the scalar one.
#include <filesystem>
#include <regex>
#include <set>

#include "base/cpu.h"
#include "base/file_map.h"
#include "kernel/entry_checks.h"
#include "kernel/select.h"

namespace bittern::kernel {
namespace {

struct Header {
  std::string name, text;
};

std::vector<Header> headers() {
  std::vector<Header> found;
  const std::filesystem::path folder = BITTERN_SOURCE "/src/kernel";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".h") continue;
    const std::regex comment("//[^\n]*");
    found.push_back({entry.path().filename().string(),
                     std::regex_replace(read_text_file(entry.path(), 1 << 20), comment, "")});
  }
  return found;
}

// Group 1 of every match.
std::set<std::string> matches(const std::string& text, const char* pattern) {
  std::set<std::string> found;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    found.insert((*at)[1]);
  return found;
}

// The body of "struct NAME {...};", or empty.
std::string body_of(const std::string& text, const std::string& name) {
  const size_t begin = text.find("struct " + name + " {");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find("\n};", begin) - begin);
}

std::vector<EntryCheck> checks() {
  std::vector<EntryCheck> all;
  for (const auto& part : {row_checks(), integer_checks(), float_checks(), attention_checks()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A table of functions is a struct of which constants are declared.
TEST(KernelTable, EveryFunctionHasACheck) {
  std::set<std::string> declared, checked;
  for (const EntryCheck& check : checks()) checked.insert(check.entry);
  EXPECT_EQ(checked.size(), checks().size()) << "a function twice";
  const std::vector<Header> all = headers();
  std::set<std::string> tables;
  for (const Header& header : all)
    tables.merge(matches(header.text, R"(\bextern const (\w+) \w+;)"));
  for (const Header& header : all) {
    for (const std::string& table : tables) {
      const std::string body = body_of(header.text, table);
      for (const std::string& name : matches(body, R"(\(\*(\w+)\)\()"))
        declared.insert(table + "." + name);
      for (const std::string& list : matches(body, R"(\bDecode ([\w, ]+);)")) {
        for (const std::string& name : matches(list, R"((\w+))"))
          declared.insert(table + "." + name);
      }
    }
  }
  EXPECT_GE(declared.size(), 30u) << "have the headers another form now?";
  EXPECT_EQ(declared, checked);
}

TEST(KernelTable, TheChecksKnowEveryFormat) {
  for (const Header& header : headers()) {
    const struct {
      const char* name;
      size_t count;
    } enums[] = {{"RealFormat", 7}, {"Gate", 5}, {"BlockScales", 7}, {"BlockCodebook", 7}};
    for (const auto& item : enums) {
      const std::regex pattern(std::string("enum class ") + item.name + R"( : \w+ \{([^}]*)\})");
      std::smatch found;
      if (!std::regex_search(header.text, found, pattern)) continue;
      EXPECT_EQ(matches(found[1], R"((\w+))").size(), item.count)
          << item.name << " has another number of values than the checks were written for";
    }
  }
}

struct Case {
  std::string table;
  EntryCheck check;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const EntryCheck& check : checks()) {
    for (const char* name : table_names())
      if (std::string(name) != "scalar") all.push_back({name, check});
  }
  return all;
}

void PrintTo(const Case& item, std::ostream* out) { *out << item.table << " " << item.check.entry; }

class EntryKernel : public testing::TestWithParam<Case> {};

// Where the processor has no tiles their instructions are executed in software.
TEST_P(EntryKernel, EqualsScalar) {
  for (const Candidate& candidate : candidates()) {
    if (candidate.table->name != GetParam().table) continue;
    const uint64_t missing = candidate.features & ~cpu::detect_features();
    const auto emulator = AmxEmulator::for_missing(missing);
    if (missing != 0 && !emulator) GTEST_SKIP() << GetParam().table << " not on this machine";
    GetParam().check.run(*candidate.table);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, EntryKernel, testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param.table + "_" + test.param.check.entry;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace bittern::kernel
