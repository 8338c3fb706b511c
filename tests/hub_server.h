// tests/store/hub_server.py, started on a free port for one test and ended with it: a stand-in for
// the hub, its content hosts and a package index.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/file_map.h"
#include "base/json_write.h"
#include "temporary_folder.h"

namespace bittern::test {

inline std::string sha256_of(std::string_view text) {
  Digest digest(Digest::Kind::sha256);
  digest.update(text);
  return digest.hex();
}

class HubServer {
 public:
  HubServer() {
    write_routes();
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("fork failed");
    if (process_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::execlp("python3", "python3", "-B", BITTERN_SOURCE "/tests/store/hub_server.py",
               folder_.path().c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    char c = 0;
    while (::read(ends[0], &c, 1) == 1 && c != '\n') port_ += c;
    ::close(ends[0]);
    if (port_.empty()) throw std::runtime_error("python3 does not start");
  }
  ~HubServer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  std::string url(const std::string& path = "") const { return "http://127.0.0.1:" + port_ + path; }
  // The same server under another name: another host for whoever compares names.
  std::string other_host(const std::string& path) const {
    return "http://localhost:" + port_ + path;
  }

  // A route as hub_server.py describes it.
  void route(const std::string& path, JsonBuilder route) {
    routes_[path] = std::move(route);
    write_routes();
  }
  // A file with these bytes, for "body".
  std::string body(const std::string& name, std::string_view bytes) const {
    folder_.write(name, bytes);
    return name;
  }

  // A large file as the hub serves it: the redirect says its digest and size, another host has the
  // bytes. `content` is merged into the route of the bytes.
  void lfs_file(const std::string& repo, const std::string& path, std::string_view bytes,
                const JsonBuilder& content = JsonBuilder::object()) {
    const std::string digest = sha256_of(bytes);
    const std::string place = "/cdn/" + digest;
    route(resolve_path(repo, path), {{"status", 302},
                                     {"headers",
                                      {{"Location", other_host(place)},
                                       {"X-Repo-Commit", "0123456789abcdef"},
                                       {"X-Linked-Size", std::to_string(bytes.size())},
                                       {"X-Linked-Etag", '"' + digest + '"'}}}});
    JsonBuilder route_of_bytes = {{"body", body(digest, bytes)}, {"etag", "\"cdn-1\""}};
    route_of_bytes.update(content);
    route(place, std::move(route_of_bytes));
    add_to_tree(repo, {{"type", "file"},
                       {"path", path},
                       {"size", bytes.size()},
                       {"oid", std::string(40, 'a')},
                       {"lfs", {{"oid", digest}, {"size", bytes.size()}}}});
  }
  // A small one, which lies in git: its entity tag is git's blob id.
  void git_file(const std::string& repo, const std::string& path, std::string_view bytes) {
    Digest digest(Digest::Kind::sha1);
    digest.update("blob " + std::to_string(bytes.size()));
    digest.update(std::string_view("\0", 1));
    digest.update(bytes);
    const std::string id = digest.hex();
    const std::string place = "/api/resolve-cache/models/" + repo + "/" + id;
    route(resolve_path(repo, path), {{"status", 307}, {"headers", {{"Location", place}}}});
    route(place, {{"body", body(id, bytes)}, {"etag", '"' + id + '"'}});
    add_to_tree(repo, {{"type", "file"}, {"path", path}, {"size", bytes.size()}, {"oid", id}});
  }
  // What /api/models/REPO says.
  void card(const std::string& repo, const JsonBuilder& card) {
    route("/api/models/" + repo,
          {{"headers", {{"Content-Type", "application/json"}}}, {"text", to_text(card)}});
  }

  std::vector<JsonBuilder> log() const {
    std::vector<JsonBuilder> requests;
    std::error_code error;
    if (!std::filesystem::exists(folder_.path() / "log.jsonl", error)) return requests;
    std::string text = read_text_file(folder_.path() / "log.jsonl", 1 << 24);
    for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1)
      requests.push_back(JsonBuilder::parse(text.substr(begin, end - begin)));
    return requests;
  }
  // Requests whose path begins so.
  std::vector<JsonBuilder> requests(std::string_view path) const {
    std::vector<JsonBuilder> found;
    for (JsonBuilder& request : log())
      if (request["path"].get<std::string>().starts_with(path)) found.push_back(std::move(request));
    return found;
  }

  static std::string resolve_path(const std::string& repo, const std::string& path) {
    return "/" + repo + "/resolve/main/" + path;
  }

 private:
  TemporaryFolder folder_;
  pid_t process_ = -1;
  std::string port_;
  JsonBuilder routes_ = JsonBuilder::object();
  JsonBuilder trees_ = JsonBuilder::object();  // by repository

  // Replaced at once: the server may be reading.
  void write_routes() const {
    AtomicFile file(folder_.path() / "routes.json");
    file.write(to_text(routes_));
    file.commit();
  }
  void add_to_tree(const std::string& repo, JsonBuilder entry) {
    trees_[repo].push_back(std::move(entry));
    route("/api/models/" + repo + "/tree/main",
          {{"headers", {{"Content-Type", "application/json"}}}, {"text", to_text(trees_[repo])}});
  }
};

}  // namespace bittern::test
