#include "chat/grammar/uri.h"

#include <charconv>

namespace bittern::chat::grammar {
namespace {

struct Parts {
  std::string_view scheme, authority, path, query;
  bool has_authority = false, has_query = false;
};

Parts parts_of(std::string_view uri) {
  Parts parts;
  const size_t colon = uri.find_first_of(":/?");
  if (colon != std::string_view::npos && colon > 0 && uri[colon] == ':') {
    parts.scheme = uri.substr(0, colon);
    uri.remove_prefix(colon + 1);
  }
  if (uri.starts_with("//")) {
    parts.has_authority = true;
    const size_t end = std::min(uri.find_first_of("/?", 2), uri.size());
    parts.authority = uri.substr(2, end - 2);
    uri.remove_prefix(end);
  }
  const size_t query = uri.find('?');
  if (query != std::string_view::npos) {
    parts.has_query = true;
    parts.query = uri.substr(query + 1);
    uri = uri.substr(0, query);
  }
  parts.path = uri;
  return parts;
}

std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    const bool last = end == path.size();
    path.remove_prefix(end);
    const std::string_view name = segment.starts_with('/') ? segment.substr(1) : segment;
    if (name == "." || name == "..") {
      if (name == "..") out.erase(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    unsigned value = 0;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(text.data() + at + 1, text.data() + at + 3, value, 16).ptr ==
            text.data() + at + 3) {
      out += static_cast<char>(value);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace

UriReference resolved_uri(std::string_view base, std::string_view reference) {
  UriReference result;
  const size_t hash = reference.find('#');
  if (hash != std::string_view::npos) {
    result.fragment = percent_decoded(reference.substr(hash + 1));
    reference = reference.substr(0, hash);
  }
  if (reference.empty()) {
    result.absolute = base;
    return result;
  }
  const Parts own = parts_of(reference), outer = parts_of(base);
  const Parts& place = own.scheme.empty() && !own.has_authority ? outer : own;
  std::string path;
  if (!own.scheme.empty()) {
    result.absolute = reference;
    return result;
  }
  if (own.has_authority || own.path.starts_with('/')) {
    path = without_dots(own.path);
  } else if (own.path.empty()) {
    path = outer.path;
  } else {
    const size_t slash = outer.path.rfind('/');
    std::string merged(slash == std::string_view::npos
                           ? std::string_view(outer.has_authority ? "/" : "")
                           : outer.path.substr(0, slash + 1));
    path = without_dots(merged + std::string(own.path));
  }
  if (!outer.scheme.empty()) result.absolute = std::string(outer.scheme) + ":";
  if (place.has_authority) result.absolute += "//" + std::string(place.authority);
  result.absolute += path;
  if (own.has_query) result.absolute += "?" + std::string(own.query);
  return result;
}

}  // namespace bittern::chat::grammar
