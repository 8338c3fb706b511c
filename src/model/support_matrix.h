// docs/models.md, written from the architecture table, so that it says what the program does.
#pragma once

#include <string>

namespace bittern::model {

// The whole page in Markdown.
std::string support_matrix();

}  // namespace bittern::model
