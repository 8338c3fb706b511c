// Prints docs/models.md: models_page > docs/models.md
#include <cstdio>

#include "model/support_matrix.h"

int main() {
  const std::string page = bittern::model::support_matrix();
  std::fwrite(page.data(), 1, page.size(), stdout);
  return 0;
}
