#include "store/pypi.h"

#include <algorithm>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"

namespace bittern::model_store {
namespace {

constexpr std::string_view kHashMark = "#sha256=";

std::string unescape_html(std::string_view text) {
  struct Entity {
    std::string_view name, meaning;
  };
  constexpr Entity kEntities[] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}};
  std::string result;
  while (!text.empty()) {
    const auto entity = std::find_if(std::begin(kEntities), std::end(kEntities),
                                     [&](const Entity& e) { return text.starts_with(e.name); });
    if (entity != std::end(kEntities)) {
      result += entity->meaning;
      text.remove_prefix(entity->name.size());
    } else {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

// The value of `href` in an anchor's tag, quoted either way; empty where there is none.
std::string href_of(std::string_view tag) {
  const size_t at = tag.find("href=");
  if (at == std::string_view::npos || at + 5 >= tag.size()) return {};
  const char quote = tag[at + 5];
  if (quote != '"' && quote != '\'') return {};
  const size_t end = tag.find(quote, at + 6);
  if (end == std::string_view::npos) return {};
  return unescape_html(tag.substr(at + 6, end - at - 6));
}

std::string last_segment(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  return std::string(url.substr(url.rfind('/') + 1));
}

// The hash is used only where it has the form of one.
WheelFile wheel_at(const std::string& page_url, const std::string& reference, std::string sha256) {
  const auto url = resolve_url(page_url, reference);
  if (!url || (!url->starts_with("http://") && !url->starts_with("https://")))
    bad_input("{}: a link that is no web address: {}", shown_url(page_url), printable(reference));
  if (!is_hex(sha256, kSha256HexLength)) sha256.clear();
  return {*url, std::move(sha256)};
}

}  // namespace

std::optional<WheelFile> wheel_in_html(std::string_view page, const std::string& page_url,
                                       const std::string& file_name) {
  constexpr std::string_view kAnchor = "<a ";
  for (size_t at = page.find(kAnchor); at != std::string_view::npos;
       at = page.find(kAnchor, at + kAnchor.size())) {
    const std::string href = href_of(page.substr(at, page.find('>', at) - at));
    if (last_segment(href) != file_name) continue;
    const size_t mark = href.find(kHashMark);
    const std::string sha256 =
        mark == std::string::npos ? "" : href.substr(mark + kHashMark.size(), kSha256HexLength);
    return wheel_at(page_url, href.substr(0, href.find('#')), sha256);
  }
  return std::nullopt;
}

std::optional<WheelFile> wheel_in_json(std::string_view page, const std::string& page_url,
                                       const std::string& file_name) {
  const auto document = json::Document::parse(page, shown_url(page_url));
  const auto files = document->root().get("files");
  if (!files) return std::nullopt;
  for (const json::Value& file : files->elements("files")) {
    if (file.get_string("filename") != file_name) continue;
    const auto hashes = file.get("hashes");
    const auto sha256 = hashes ? hashes->get_string("sha256") : std::nullopt;
    return wheel_at(page_url, std::string(file.get_string("url").value_or("")),
                    std::string(sha256.value_or("")));
  }
  return std::nullopt;
}

WheelFile find_wheel(Http& http, const std::string& index_url, const std::string& package,
                     const std::string& file_name) {
  Request request;
  request.url = index_url;
  while (request.url.ends_with('/')) request.url.pop_back();
  request.url += fmt::format("/{}/", encode_path(package));
  request.accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
  const Response response = http.exchange_patiently(request, kListingBytesMax);
  const std::string what = fmt::format("{} on {}", package, shown_url(index_url));
  if (response.failure != Failure::none || response.status != 200) refuse(response, what);
  const bool is_json = response.header("content-type").find("json") != std::string::npos;
  // Relative links are relative to where redirects led; user and password stay with the index.
  const std::string base =
      origin_of(response.url) == origin_of(request.url) && shown_url(request.url) == response.url
          ? request.url
          : response.url;
  const auto wheel = is_json ? wheel_in_json(response.body, base, file_name)
                             : wheel_in_html(response.body, base, file_name);
  if (!wheel) bad_input("{}: {} is not there", what, file_name);
  return *wheel;
}

}  // namespace bittern::model_store
