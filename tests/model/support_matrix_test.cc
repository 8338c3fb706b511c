// docs/models.md says what the architecture table says.
#include "model/support_matrix.h"

#include <gtest/gtest.h>

#include "base/file_map.h"
#include "model/arch.h"

namespace bittern::model {
namespace {

TEST(SupportMatrix, ThePageInDocsIsCurrent) {
  const std::string path = BITTERN_SOURCE "/docs/models.md";
  EXPECT_EQ(read_text_file(path, 1 << 20), support_matrix())
      << "write it anew: build/release/tests/models_page > docs/models.md";
}

TEST(SupportMatrix, NamesEveryFamily) {
  const std::string page = support_matrix();
  for (const ArchSpec& arch : arch_table())
    EXPECT_NE(page.find("| " + std::string(arch.name) + " |"), std::string::npos) << arch.name;
}

}  // namespace
}  // namespace bittern::model
