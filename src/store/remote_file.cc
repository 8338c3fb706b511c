#include "store/remote_file.h"

#include "base/error.h"

namespace bittern::model_store {

// The last answer; `bytes` only where it is a 206.
Response RemoteFile::ask(int64_t offset, int64_t length, std::vector<std::byte>& bytes) {
  Request request;
  request.url = url_;
  request.token = token_;
  request.range = ByteRange{offset, offset + length - 1};
  for (int failures = 1;; ++failures) {
    bytes.clear();
    const Response response = http_.exchange(request, [&](const Response& head, Bytes part) {
      if (head.status != 206 || static_cast<int64_t>(bytes.size() + part.size()) > length)
        return false;
      bytes.insert(bytes.end(), part.begin(), part.end());
      return true;
    });
    const bool good =
        response.failure == Failure::none && (response.status == 200 || response.status == 206);
    if (good || response.failure == Failure::unreached ||
        !http_.wait_for_another_try(response, failures))
      return response;
  }
}

std::optional<RemoteFile> RemoteFile::open(Http& http, std::string url, std::string token,
                                           std::string label) {
  RemoteFile file(http, std::move(url), std::move(token), std::move(label));
  std::vector<std::byte> first;
  const Response response = file.ask(0, 1, first);
  if (response.failure == Failure::none && response.status == 200) return std::nullopt;
  const auto range = response.content_range();
  if (response.failure != Failure::none || response.status != 206) refuse(response, file.label_);
  if (!range) return std::nullopt;
  file.size_ = range->total;
  file.etag_ = response.strong_etag();
  return file;
}

std::vector<std::byte> RemoteFile::read(int64_t offset, int64_t length) {
  std::vector<std::byte> bytes;
  if (length == 0) return bytes;
  const Response response = ask(offset, length, bytes);
  if (response.failure != Failure::none || response.status != 206) refuse(response, label_);
  const auto range = response.content_range();
  if (!range || range->first != offset || range->total != size_ ||
      response.strong_etag() != etag_ || static_cast<int64_t>(bytes.size()) != length)
    bad_input("{}: {} bytes from {} of {} expected, the server sends {} of \"{}\"", label_, length,
              offset, size_, bytes.size(), printable(response.header("content-range")));
  return bytes;
}

}  // namespace bittern::model_store
