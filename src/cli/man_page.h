// The manual page, bittern.1, made from the verbs and their flags.
#pragma once

#include <string>

namespace bittern::cli {

std::string man_page();

}  // namespace bittern::cli
