// One HTTP exchange at a time, as a client: GET or HEAD, redirects, ranges (libcurl, behind this
// header). Redirects are followed here rather than by libcurl, so that the token goes to the host
// it was meant for and to no other, nobody is led from https to http, and the headers of every hop
// can be seen: the hub says a file's SHA-256 in the redirect, not in the answer.
// Failure to get an answer is an ordinary result: the caller decides whether to try again.
// (The namespace is not named store: base/bytes.h has a function of that name.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "store/limits.h"

namespace bittern::model_store {

struct HttpOptions {
  int64_t connect_seconds = kConnectSeconds;
  int64_t stall_seconds = kStallSeconds;
  std::string certificate_file;  // empty: the system's
  // Waits before a further try; throws Error{interrupted} on Ctrl-C. Tests replace it.
  std::function<void(double seconds)> wait;
};

// Bytes of a resource; `last` inclusive as in the protocol, nothing: to the end.
struct ByteRange {
  int64_t first = 0;
  std::optional<int64_t> last;
};

struct Request {
  std::string url;
  bool head = false;
  std::string accept;
  std::string token;  // Authorization: Bearer, only to the host of `url`
  std::optional<ByteRange> range;
  std::string if_range;         // with `range`: the whole resource where it is no longer this one
  bool only_this_host = false;  // a redirect to another host is returned, not followed
};

enum class Failure {
  none,       // there is an answer, whatever its status
  unreached,  // no such host, no connection
  broken,     // connected, but cut or stalled before the end
  untrusted,  // the certificate is not valid
  refused     // a redirect that is not followed, a URL that cannot be
};

struct Response {
  Failure failure = Failure::none;
  std::string problem;  // in words, where there is a failure
  int status = 0;       // of the last hop; with Failure::broken it may be known
  std::string url;      // of the last hop, without user and password
  std::map<std::string, std::string> headers;  // names in lower case; later hops win
  std::string body;                            // where nobody took it

  std::string header(const std::string& name) const;
  std::optional<int64_t> content_length() const;
  // Content-Range: bytes FIRST-LAST/TOTAL
  struct ContentRange {
    int64_t first = 0, last = 0, total = 0;
  };
  std::optional<ContentRange> content_range() const;
  // An entity tag that If-Range may use; empty where there is none or a weak one.
  std::string strong_etag() const;
  std::optional<double> retry_after() const;  // seconds
};

class Http {
 public:
  explicit Http(HttpOptions options);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  // What takes the body of a 200 or 206: called with the headers known; false ends the exchange
  // without that being a failure. What it throws comes out of exchange().
  using Body = std::function<bool(const Response&, Bytes)>;

  // One try. Without `body` at most `limit` bytes are kept in Response::body. Throws
  // Error{interrupted} on Ctrl-C.
  Response exchange(const Request& request, const Body& body = {},
                    int64_t limit = kErrorBodyBytesMax);

  // Tries again, with growing pauses, while the server is busy or the connection breaks; the
  // last answer otherwise.
  Response exchange_patiently(const Request& request, int64_t limit = kErrorBodyBytesMax);

  // Before try number `failures` + 1: waits as long as the server asks or the count suggests.
  // False where another try makes no sense.
  bool wait_for_another_try(const Response& response, int failures);

 private:
  struct State;
  HttpOptions options_;
  std::unique_ptr<State> state_;

  Response hop(const Request& request, const std::string& url, bool with_token, const Body& body,
               int64_t limit);
};

// `reference` (absolute or relative) as seen from `base`; nothing where it is no URL.
std::optional<std::string> resolve_url(const std::string& base, const std::string& reference);
// "https://host:443" of a URL, lower case; empty where it is none.
std::string origin_of(const std::string& url);
// Without user and password, safe to print.
std::string shown_url(const std::string& url);
// Percent-encodes the segments of a path, the slashes kept.
std::string encode_path(std::string_view path);

// Throws what an answer that is not the wanted one means, in one line: `what` names the thing
// asked for ("hf:org/repo:file").
[[noreturn]] void refuse(const Response& response, const std::string& what);

}  // namespace bittern::model_store
