// A file on a server, read by ranges.
#pragma once

#include <optional>
#include <string>

#include "base/zip.h"
#include "store/http.h"

namespace bittern::model_store {

class RemoteFile final : public RangeSource {
 public:
  // Asks for the first byte; nothing where the server does not send ranges. Throws what refuse()
  // says. `label` names the file in messages.
  static std::optional<RemoteFile> open(Http& http, std::string url, std::string token,
                                        std::string label);

  int64_t size() const override { return size_; }
  std::vector<std::byte> read(int64_t offset, int64_t length) override;
  const std::string& name() const override { return label_; }

 private:
  RemoteFile(Http& http, std::string url, std::string token, std::string label)
      : http_(http), url_(std::move(url)), token_(std::move(token)), label_(std::move(label)) {}

  Http& http_;
  std::string url_, token_, label_;
  std::string etag_;  // of the first answer: later ones must be of the same file
  int64_t size_ = 0;

  Response ask(int64_t offset, int64_t length, std::vector<std::byte>& bytes);
};

}  // namespace bittern::model_store
