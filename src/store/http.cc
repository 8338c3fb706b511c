#include "store/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"

namespace bittern::model_store {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kHeaderBytesMax = 64 << 10;  // of one hop, all lines

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Sleeps in steps, so that Ctrl-C ends it.
void patient_wait(double seconds) {
  constexpr std::chrono::milliseconds kStep{50};
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    interrupt::check();
    std::this_thread::sleep_for(kStep);
  }
}

struct HeaderList {
  curl_slist* list = nullptr;
  ~HeaderList() { ::curl_slist_free_all(list); }
  void add(const std::string& line) { list = ::curl_slist_append(list, line.c_str()); }
};

// What libcurl's callbacks work on during one hop.
struct Hop {
  Response* response = nullptr;
  const Http::Body* body = nullptr;
  int64_t limit = 0;
  size_t header_bytes = 0;
  bool stopped = false;       // the taker has enough
  bool too_much = false;      // more than `limit`
  std::exception_ptr thrown;  // an exception may not pass through libcurl
};

size_t on_header(char* data, size_t, size_t count, void* user) {
  Hop& hop = *static_cast<Hop*>(user);
  std::string_view line(data, count);
  hop.header_bytes += count;
  if (hop.header_bytes > kHeaderBytesMax) return 0;
  if (line.starts_with("HTTP/")) return count;  // also that of a proxy or of "100 Continue"
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  std::string name(trimmed(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  hop.response->headers[name] = trimmed(line.substr(colon + 1));
  return count;
}

void read_status(CURL* curl, Response& response) {
  long status = 0;
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
}

struct Callback {
  CURL* curl;
  Hop hop;
};

size_t on_body(char* data, size_t, size_t count, void* user) {
  auto& [curl, hop] = *static_cast<Callback*>(user);
  Response& response = *hop.response;
  read_status(curl, response);
  const bool wanted = response.status == 200 || response.status == 206;
  if (wanted && *hop.body) {
    try {
      if ((*hop.body)(response, std::as_bytes(std::span(data, count)))) return count;
      hop.stopped = true;
    } catch (...) {
      hop.thrown = std::current_exception();
    }
    return 0;
  }
  if (static_cast<int64_t>(response.body.size() + count) > hop.limit) {
    hop.too_much = wanted;
    if (!wanted) return count;  // the start of an error page is enough
    return 0;
  }
  response.body.append(data, count);
  return count;
}

int on_progress(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupt::requested() ? 1 : 0;
}

Failure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return Failure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return Failure::unreached;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Failure::untrusted;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Failure::refused;
    default:
      return Failure::broken;
  }
}

bool is_redirect(const Response& response) {
  constexpr std::array kRedirects{301, 302, 303, 307, 308};
  return std::find(kRedirects.begin(), kRedirects.end(), response.status) != kRedirects.end() &&
         !response.header("location").empty();
}

}  // namespace

std::string Response::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<int64_t> Response::content_length() const {
  return whole_number(header("content-length"));
}

std::optional<Response::ContentRange> Response::content_range() const {
  const std::string text = header("content-range");
  std::string_view rest = text;
  constexpr std::string_view kUnit = "bytes ";
  if (!rest.starts_with(kUnit)) return std::nullopt;
  rest.remove_prefix(kUnit.size());
  const size_t dash = rest.find('-');
  const size_t slash = rest.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return std::nullopt;
  const auto first = whole_number(rest.substr(0, dash));
  const auto last = whole_number(rest.substr(dash + 1, slash - dash - 1));
  const auto total = whole_number(rest.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

std::string Response::strong_etag() const {
  const std::string etag = header("etag");
  return etag.size() > 2 && etag.front() == '"' && etag.back() == '"' ? etag : std::string();
}

std::optional<double> Response::retry_after() const {
  const auto seconds = whole_number(header("retry-after"));  // the form with a date is not read
  if (!seconds) return std::nullopt;
  return static_cast<double>(*seconds);
}

struct Http::State {
  CURL* curl = nullptr;
};

Http::Http(HttpOptions options) : options_(std::move(options)), state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->curl = ::curl_easy_init();
  if (state_->curl == nullptr) fail(ErrorKind::resources, "no memory for a connection");
  if (!options_.wait) options_.wait = patient_wait;
}

Http::~Http() { ::curl_easy_cleanup(state_->curl); }

// Connections are kept and used again between hops and exchanges; options are not.
Response Http::hop(const Request& request, const std::string& url, bool with_token,
                   const Body& body, int64_t limit) {
  CURL* curl = state_->curl;
  ::curl_easy_reset(curl);
  Response response;
  response.url = shown_url(url);
  Callback callback{curl, {}};
  callback.hop.response = &response;
  callback.hop.body = &body;
  callback.hop.limit = limit;
  HeaderList headers;
  headers.add("Accept-Encoding: identity");  // ranges and lengths are those of the file
  if (!request.accept.empty()) headers.add("Accept: " + request.accept);
  if (with_token && !request.token.empty()) headers.add("Authorization: Bearer " + request.token);
  if (request.range) {
    const std::string last = request.range->last ? std::to_string(*request.range->last) : "";
    headers.add(fmt::format("Range: bytes={}-{}", request.range->first, last));
    if (!request.if_range.empty()) headers.add("If-Range: " + request.if_range);
  }
  ::curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_USERAGENT, "bittern");
  ::curl_easy_setopt(curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options_.connect_seconds));
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_seconds));
  if (!options_.certificate_file.empty())
    ::curl_easy_setopt(curl, CURLOPT_CAINFO, options_.certificate_file.c_str());
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, &callback.hop);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &callback);
  ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  const CURLcode code = ::curl_easy_perform(curl);
  if (callback.hop.thrown) std::rethrow_exception(callback.hop.thrown);
  interrupt::check();
  read_status(curl, response);
  if (code == CURLE_OK || callback.hop.stopped) return response;
  response.failure = callback.hop.too_much ? Failure::refused : failure_of(code);
  response.problem = callback.hop.too_much
                         ? fmt::format("an answer of at most {} bytes expected", limit)
                         : std::string(::curl_easy_strerror(code));
  return response;
}

Response Http::exchange(const Request& request, const Body& body, int64_t limit) {
  std::string url = request.url;
  std::map<std::string, std::string> seen;
  const auto refused = [](Response response, std::string problem) {
    response.failure = Failure::refused;
    response.problem = std::move(problem);
    return response;
  };
  for (int redirects = 0;; ++redirects) {
    const bool own_host = origin_of(url) == origin_of(request.url);
    Response response = hop(request, url, own_host, body, limit);
    // What the hub says of a file stands in the redirect to where its bytes are.
    for (const auto& [name, value] : seen)
      if (name.starts_with("x-linked-") || name.starts_with("x-repo-"))
        response.headers.emplace(name, value);
    if (response.failure != Failure::none || !is_redirect(response)) return response;
    const auto next = resolve_url(url, response.header("location"));
    if (!next || (!next->starts_with("http://") && !next->starts_with("https://")))
      return refused(response, "a redirect to what is no web address");
    if (url.starts_with("https://") && next->starts_with("http://"))
      return refused(response, "a redirect from https to http is not followed");
    if (redirects == kRedirectsMax)
      return refused(response, fmt::format("more than {} redirects", kRedirectsMax));
    if (request.only_this_host && origin_of(*next) != origin_of(request.url)) return response;
    seen = response.headers;
    url = *next;
  }
}

bool Http::wait_for_another_try(const Response& response, int failures) {
  const bool busy = response.status == 429 || response.status == 408 ||
                    (response.status >= 500 && response.status != 501 && response.status != 505);
  const bool again = response.failure == Failure::broken ||
                     response.failure == Failure::unreached ||
                     (response.failure == Failure::none && busy);
  if (!again || failures >= kTriesMax) return false;
  double seconds = kFirstWaitSeconds;
  for (int i = 1; i < failures; ++i) seconds = std::min(seconds * 2, kWaitSecondsMax);
  if (response.failure == Failure::none) {
    const double asked = response.retry_after().value_or(0.0);
    if (asked > kRetryAfterSecondsMax) return false;
    seconds = std::max(seconds, asked);
  }
  options_.wait(seconds);
  return true;
}

Response Http::exchange_patiently(const Request& request, int64_t limit) {
  for (int failures = 1;; ++failures) {
    Response response = exchange(request, {}, limit);
    if (response.failure == Failure::unreached) return response;  // nothing there: said at once
    if (response.failure == Failure::none && response.status < 400) return response;
    if (!wait_for_another_try(response, failures)) return response;
  }
}

void refuse(const Response& response, const std::string& what) {
  const std::string host = origin_of(response.url);
  if (response.failure == Failure::unreached)
    fail(ErrorKind::resources, "{}: {} cannot be reached: {}", what, host, response.problem);
  if (response.failure == Failure::untrusted)
    fail(ErrorKind::bad_input, "{}: {} cannot be trusted: {}", what, host, response.problem);
  if (response.failure == Failure::broken)
    fail(ErrorKind::resources, "{}: the connection to {} broke: {}", what, host, response.problem);
  if (response.failure == Failure::refused)
    bad_input("{}: {}: {}", what, response.url, response.problem);
  const std::string code = response.header("x-error-code");
  switch (response.status) {
    case 401:
      bad_input("{}: 401: {}", what,
                code == "RepoNotFound"
                    ? "no such repository, or a private one: set HF_TOKEN where it is yours"
                    : "the server wants to know who asks: set HF_TOKEN");
    case 403:
      bad_input("{}: 403: access is refused; with a token, HF_TOKEN lacks the right", what);
    case 404:
      bad_input("{}: 404: {}", what,
                code == "RepoNotFound"       ? "no such repository"
                : code == "RevisionNotFound" ? "no such revision in the repository"
                : code == "EntryNotFound"    ? "no such file in the repository"
                                             : "not found at " + response.url);
    case 429:
      fail(ErrorKind::resources, "{}: 429: {} asks to come back {}", what, host,
           response.retry_after() ? fmt::format("in {:.0f} s", *response.retry_after()) : "later");
    default:
      break;
  }
  if (response.status >= 500)
    fail(ErrorKind::resources, "{}: {} answers {}; try again later", what, host, response.status);
  bad_input("{}: {} answers {}", what, response.url, response.status);
}

}  // namespace bittern::model_store
