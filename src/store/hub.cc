#include "store/hub.h"

#include <algorithm>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "store/paths.h"

namespace bittern::model_store {
namespace {

[[noreturn]] void not_a_reference(std::string_view text) {
  fail(ErrorKind::usage, "hf:ORG/REPO[:FILE][@REVISION] expected, got \"{}\"", printable(text));
}

std::string unquoted(const std::string& etag) {
  const size_t first = etag.find('"');
  const size_t last = etag.rfind('"');
  return first < last ? etag.substr(first + 1, last - first - 1) : etag;
}

// <https://...>; rel="next"
std::string next_page(const std::string& link) {
  if (link.find("rel=\"next\"") == std::string::npos) return {};
  const size_t begin = link.find('<');
  const size_t end = link.find('>');
  return begin < end && end != std::string::npos ? link.substr(begin + 1, end - begin - 1) : "";
}

}  // namespace

std::string HubReference::text() const {
  return fmt::format("{}{}{}{}", kHubPrefix, repo, file.empty() ? "" : ":" + file,
                     revision == "main" ? "" : "@" + revision);
}

HubReference parse_hub_reference(std::string_view text) {
  HubReference reference;
  std::string_view rest = text;
  if (!rest.starts_with(kHubPrefix)) not_a_reference(text);
  rest.remove_prefix(kHubPrefix.size());
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    reference.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_safe_path(reference.revision)) not_a_reference(text);
  }
  if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    reference.file = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_safe_path(reference.file)) not_a_reference(text);
  }
  reference.repo = rest;
  if (!is_safe_path(rest) || std::count(rest.begin(), rest.end(), '/') != 1) not_a_reference(text);
  return reference;
}

std::string Hub::url(const HubReference& reference, const std::string& path) const {
  // A revision such as refs/pr/1 is one segment.
  std::string revision = encode_path(reference.revision);
  for (size_t at = revision.find('/'); at != std::string::npos; at = revision.find('/', at))
    revision.replace(at, 1, "%2F");
  return fmt::format("{}/{}/resolve/{}/{}", endpoint_, encode_path(reference.repo), revision,
                     encode_path(path));
}

void Hub::refuse(const Response& response, const HubReference& reference,
                 const std::string& path) const {
  HubReference named = reference;
  if (!path.empty()) named.file = path;
  if ((response.status == 401 || response.status == 403) && response.failure == Failure::none &&
      response.header("x-error-code") == "GatedRepo") {
    std::string page = shown_url(endpoint_);
    while (page.ends_with('/')) page.pop_back();
    bad_input("{}: {}: gated: accept the licence at {}/{}, then set HF_TOKEN{}", named.text(),
              response.status, page, reference.repo,
              token_.empty() ? "" : " (the token that is set has no access)");
  }
  model_store::refuse(response, named.text());
}

HubListing Hub::look_up(const HubReference& reference, const std::string& path) {
  Request request;
  request.url = url(reference, path);
  request.head = true;
  request.token = token_;
  request.only_this_host = true;  // the other host only has the bytes
  const Response response = http_.exchange_patiently(request);
  const bool redirected = response.status >= 300 && response.status < 400;
  if (response.failure != Failure::none || (response.status != 200 && !redirected))
    refuse(response, reference, path);
  HubFile file;
  file.path = path;
  const std::string linked = unquoted(response.header("x-linked-etag"));
  const std::string etag = unquoted(response.header("etag"));
  if (is_hex(linked, kSha256HexLength)) file.sha256 = linked;
  if (linked.empty() && is_hex(etag, kSha1HexLength)) file.git_sha1 = etag;
  Response sized = response;
  const std::string linked_size = response.header("x-linked-size");
  if (!linked_size.empty()) sized.headers["content-length"] = linked_size;
  const auto bytes = sized.content_length();
  if (!bytes)
    bad_input("{}: the hub does not say how large {} is", reference.text(), printable(path));
  file.bytes = *bytes;
  HubListing listing;
  listing.files.push_back(std::move(file));
  listing.commit = response.header("x-repo-commit");
  return listing;
}

void parse_tree(std::string_view text, const std::string& where, std::vector<HubFile>& files) {
  const auto document = json::Document::parse(text, where);
  for (const json::Value& entry : document->root().elements("tree")) {
    if (!entry.is(json::Kind::object))
      bad_input("{}: tree: an object expected, got {}", where, json::kind_name(entry.kind()));
    if (entry.get_string("type") != "file") continue;
    HubFile file;
    file.path = entry.get_string("path").value_or("");
    require_safe_path(file.path, where);
    file.bytes = entry.get_integer("size").value_or(-1);
    std::string digest(entry.get_string("oid").value_or(""));
    if (is_hex(digest, kSha1HexLength)) file.git_sha1 = digest;
    if (const auto lfs = entry.get("lfs")) {
      digest = lfs->get_string("oid").value_or("");
      if (!is_hex(digest, kSha256HexLength))
        bad_input("{}: {}: lfs: a SHA-256 expected, got '{}'", where, printable(file.path),
                  printable(digest));
      file.sha256 = digest;
      file.git_sha1.clear();  // that one is of the pointer
      file.bytes = lfs->get_integer("size").value_or(-1);
    }
    if (file.bytes < 0)
      bad_input("{}: {}: size: at least 0 expected, got {}", where, printable(file.path),
                file.bytes);
    files.push_back(std::move(file));
  }
}

HubListing Hub::list(const HubReference& reference) {
  HubListing listing;
  Request request;
  request.url = fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint_,
                            encode_path(reference.repo), encode_path(reference.revision));
  request.token = token_;
  request.accept = "application/json";
  const std::string where = fmt::format("listing of {}", reference.repo);
  for (int page = 0; page < kListingPagesMax; ++page) {
    const Response response = http_.exchange_patiently(request, kListingBytesMax);
    if (response.failure != Failure::none || response.status != 200)
      refuse(response, reference, "");
    parse_tree(response.body, where, listing.files);
    if (listing.commit.empty()) listing.commit = response.header("x-repo-commit");
    const std::string next = next_page(response.header("link"));
    if (next.empty()) return listing;
    const auto url = resolve_url(request.url, next);
    // The token goes with it: it must be the same host's.
    if (!url || origin_of(*url) != origin_of(endpoint_))
      bad_input("{}: its next page is at another host", where);
    request.url = *url;
  }
  bad_input("{}: more than {} pages", where, kListingPagesMax);
}

std::string Hub::licence(const HubReference& reference) {
  Request request;
  request.url = fmt::format("{}/api/models/{}", endpoint_, encode_path(reference.repo));
  request.token = token_;
  request.accept = "application/json";
  const Response response = http_.exchange(request, {}, kListingBytesMax);
  if (response.failure != Failure::none || response.status != 200) return {};
  try {
    const auto document = json::Document::parse(response.body, reference.repo);
    const auto card = document->root().get("cardData");
    if (!card) return {};
    const auto name = card->get_string("license");
    // "other" has its name beside it.
    const auto own_name = card->get_string("license_name");
    return printable(name == "other" && own_name ? *own_name : name.value_or(""));
  } catch (const Error&) {
    return {};
  }
}

}  // namespace bittern::model_store
