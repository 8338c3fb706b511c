// Taking URLs apart and putting them together (libcurl's URL interface).
#include <curl/curl.h>

#include <algorithm>

#include "base/error.h"
#include "store/http.h"

namespace bittern::model_store {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

Url parse(const std::string& text) {
  Url url(::curl_url());
  if (!url || ::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  return url;
}

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (!url || ::curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  ::curl_free(text);
  return copy;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace

std::optional<std::string> resolve_url(const std::string& base, const std::string& reference) {
  const Url url = parse(base);
  if (!url || ::curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  // A user and password of the base do not travel to where it points.
  std::string text = part(url, CURLUPART_URL);
  if (origin_of(text) != origin_of(base)) {
    ::curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
    ::curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
    text = part(url, CURLUPART_URL);
  }
  return text;
}

std::string origin_of(const std::string& url) {
  const Url parsed = parse(url);
  if (!parsed) return {};
  return lower(fmt::format("{}://{}:{}", part(parsed, CURLUPART_SCHEME),
                           part(parsed, CURLUPART_HOST),
                           part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT)));
}

std::string shown_url(const std::string& url) {
  const Url parsed = parse(url);
  if (!parsed) return printable(url, kPathBytesMax);
  ::curl_url_set(parsed.get(), CURLUPART_USER, nullptr, 0);
  ::curl_url_set(parsed.get(), CURLUPART_PASSWORD, nullptr, 0);
  ::curl_url_set(parsed.get(), CURLUPART_QUERY, nullptr, 0);  // signatures stand there
  return printable(part(parsed, CURLUPART_URL), kPathBytesMax);
}

std::string encode_path(std::string_view path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string text;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

}  // namespace bittern::model_store
