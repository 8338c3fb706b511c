#include "store/paths.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "store/limits.h"

namespace bittern::model_store {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_letter_or_digit(char c) { return is_name_character(c) && c != '.' && c != '_' && c != '-'; }

bool is_plain_segment(std::string_view segment) {
  constexpr std::string_view kForbidden = "\\:*?\"<>|";
  return !segment.empty() && segment != "." && segment != ".." &&
         std::none_of(segment.begin(), segment.end(), [&](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
                  kForbidden.find(c) != std::string_view::npos;
         });
}

}  // namespace

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), is_name_character);
}

std::string model_name_of(std::string_view text) {
  std::string name;
  for (char c : text.substr(0, kNameBytesMax)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (!is_name_character(c)) c = '-';
    if (!name.empty() || is_letter_or_digit(c)) name += c;
  }
  return name;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || !utf8::is_valid(path)) return false;
  while (true) {
    const size_t slash = path.find('/');
    if (!is_plain_segment(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

void require_safe_path(std::string_view path, std::string_view where) {
  if (!is_safe_path(path))
    bad_input("{}: a plain relative path expected, got '{}'", where, printable(path));
}

}  // namespace bittern::model_store
