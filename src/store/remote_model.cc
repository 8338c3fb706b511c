#include "store/remote_model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file_map.h"
#include "format/gguf/header.h"
#include "format/gguf/split.h"
#include "format/limits.h"
#include "store/hub.h"
#include "store/paths.h"
#include "store/remote_file.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kGrowth = 4;
// Beside the weights of a repository: what says how they are to be read.
constexpr std::string_view kDocuments[] = {"config.json", "generation_config.json",
                                           "tokenizer.json", "tokenizer_config.json"};

fs::path make_temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "bittern-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    fail(ErrorKind::resources, "{}: cannot make a temporary folder: {}", pattern,
         std::strerror(errno));
  return pattern;
}

// Fetches headers into a folder.
class Headers {
 public:
  Headers(Http& http, fs::path folder, std::string token)
      : http_(http), folder_(std::move(folder)), token_(std::move(token)) {}

  int64_t fetched_bytes = 0, bytes = 0;

  // The header of one file, and of the other parts of a split GGUF.
  void fetch(const std::string& url, const std::string& path) {
    const std::vector<std::byte> head = fetch_one(url, path);
    if (!as_text(head).starts_with(format::gguf::kMagic)) return;
    const auto header = format::gguf::parse_header(head, path);
    const auto split = format::gguf::split_of(header.metadata);
    if (!split) return;
    for (int64_t part = 0; part < split->count; ++part) {
      const std::string other = format::gguf::split_path(path, *split, part).string();
      const auto other_url = resolve_url(url, encode_path(fs::path(other).filename().string()));
      if (part != split->index && other_url) fetch_one(*other_url, other);
    }
  }

  // A small file as it is; false where there is none.
  bool fetch_document(const std::string& url, const std::string& path) {
    Request request;
    request.url = url;
    request.token = token_;
    const Response response = http_.exchange_patiently(request, kListingBytesMax);
    if (response.failure == Failure::none && response.status == 404) return false;
    if (response.failure != Failure::none || response.status != 200) refuse(response, path);
    AtomicFile file(target(path));
    file.write(response.body);
    file.commit();
    fetched_bytes += file.bytes_written();
    bytes += file.bytes_written();
    return true;
  }

 private:
  Http& http_;
  fs::path folder_;
  std::string token_;

  fs::path target(const std::string& path) const {
    require_safe_path(path, "a remote model");
    fs::create_directories((folder_ / path).parent_path());
    return folder_ / path;
  }

  std::vector<std::byte> fetch_one(const std::string& url, const std::string& path) {
    auto file = RemoteFile::open(http_, url, token_, path);
    if (!file)
      fail(ErrorKind::unsupported,
           "{}: the server does not send parts of files; it has to be pulled to be shown", path);
    std::vector<std::byte> head = file->read(0, std::min(kHeaderFirstBytes, file->size()));
    const int64_t length = as_text(head).starts_with(format::gguf::kMagic)
                               ? grow_gguf(*file, head)
                               : grow_safetensors(*file, head);
    fetched_bytes += static_cast<int64_t>(head.size());
    bytes += file->size();
    head.resize(static_cast<size_t>(std::min<int64_t>(length, head.size())));
    write_sparse(target(path), head, file->size());
    return head;
  }

  static void extend(RemoteFile& file, std::vector<std::byte>& head, int64_t length) {
    const auto have = static_cast<int64_t>(head.size());
    const auto more = file.read(have, length - have);
    head.insert(head.end(), more.begin(), more.end());
  }

  // The reader itself says whether the header is whole: a cut one is an error for it. Returns the
  // header's length.
  static int64_t grow_gguf(RemoteFile& file, std::vector<std::byte>& head) {
    while (true) {
      const auto have = static_cast<int64_t>(head.size());
      const int64_t most = std::min(file.size(), kHeaderBytesMax);
      try {
        const auto header = format::gguf::parse_header(head, file.name());
        if (header.data_start <= static_cast<uint64_t>(have) || have >= most)
          return static_cast<int64_t>(header.data_start);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::bad_input || have >= most) throw;
      }
      extend(file, head, std::min(most, have * kGrowth));
    }
  }

  static int64_t grow_safetensors(RemoteFile& file, std::vector<std::byte>& head) {
    constexpr int64_t kLengthBytes = 8;
    const auto stated = head.size() < kLengthBytes ? 0 : load<uint64_t>(head.data());
    if (stated == 0 || stated > format::kSafetensorsHeaderMax)
      bad_input("{}: a GGUF or SafeTensors file expected, got one that begins with '{}'",
                file.name(), printable(as_text(head).substr(0, kLengthBytes)));
    const int64_t length = std::min(kLengthBytes + static_cast<int64_t>(stated), file.size());
    if (length > static_cast<int64_t>(head.size())) extend(file, head, length);
    return length;
  }

  static void write_sparse(const fs::path& path, Bytes head, int64_t size) {
    AtomicFile file(path);
    file.write(head);
    file.commit();
    std::error_code error;
    fs::resize_file(path, static_cast<uintmax_t>(size), error);
    if (error) fail(ErrorKind::resources, "{}: {}", path.string(), error.message());
  }
};

fs::path fetch_from_hub(Http& http, Headers& headers, const Settings& settings,
                        const HubReference& reference) {
  Hub hub(http, settings.hub_endpoint, settings.hub_token);
  const bool named = reference.file.find('.') != std::string::npos;
  std::vector<HubFile> files;
  if (named) {
    files.push_back(hub.look_up(reference, reference.file).files.front());  // says what is wrong
  } else {
    files = choose_files(hub.list(reference), reference);
  }
  const std::string first = files.front().path;
  if (first.ends_with(".gguf")) {
    headers.fetch(hub.url(reference, first), first);
    return first;
  }
  const fs::path beside = named ? fs::path(first).parent_path() : fs::path();
  for (const std::string_view document : kDocuments) {
    const std::string path = (beside / document).generic_string();
    headers.fetch_document(hub.url(reference, path), path);
  }
  for (const HubFile& file : files) {
    if (file.path.ends_with(".safetensors"))
      headers.fetch(hub.url(reference, file.path), file.path);
    if (file.path.ends_with(".index.json"))
      headers.fetch_document(hub.url(reference, file.path), file.path);
  }
  return named ? fs::path(first) : fs::path(".");
}

std::string file_name_of(const std::string& url) {
  std::string_view path = std::string_view(url).substr(0, url.find_first_of("?#"));
  const std::string name(path.substr(path.rfind('/') + 1));
  return is_safe_path(name) ? name : "model";
}

}  // namespace

RemoteModel::RemoteModel(const std::string& reference, const Settings& settings)
    : folder_(make_temporary_folder()) {
  try {
    Http http(settings.http);
    const bool on_hub = reference.starts_with(kHubPrefix);
    Headers headers(http, folder_, on_hub ? settings.hub_token : "");
    if (on_hub) {
      path_ = folder_ / fetch_from_hub(http, headers, settings, parse_hub_reference(reference));
    } else {
      path_ = folder_ / file_name_of(reference);
      headers.fetch(reference, file_name_of(reference));
    }
    fetched_bytes_ = headers.fetched_bytes;
    bytes_ = headers.bytes;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    throw;
  }
}

RemoteModel::~RemoteModel() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace bittern::model_store
