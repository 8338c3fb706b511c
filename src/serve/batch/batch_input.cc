#include "serve/batch/batch_input.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "serve/limits.h"

namespace bittern::serve {
namespace {

constexpr size_t kHashPieceBytes = size_t{1} << 20;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Without the line's end.
std::string_view line_at(std::string_view text, size_t begin) {
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string custom_id_of(std::string_view line, const std::string& where) {
  const auto document = json::Document::parse(line, where);
  const json::Value root = document->root();
  if (!root.is(json::Kind::object))
    bad_input("{}: a JSON object expected, got {}", where, json::kind_name(root.kind()));
  const auto id = root.get_string("custom_id");
  if (!id || id->empty() || id->size() > kCustomIdBytesMax)
    bad_input("{}: custom_id: a text of 1 to {} bytes expected, got {}", where, kCustomIdBytesMax,
              id ? fmt::format("{} bytes", id->size()) : "none");
  return std::string(*id);
}

std::string where(const std::string& name, int64_t number) {
  return fmt::format("{}: line {}", name, number);
}

}  // namespace

BatchInput::Hash BatchInput::hash_of(std::string_view custom_id) {
  const std::string hex = sha256_hex(custom_id);
  Hash hash{};
  for (size_t i = 0; i < hash.size(); ++i)
    std::from_chars(&hex[16 * i], &hex[16 * i] + 16, hash[i], 16);
  return hash;
}

void BatchInput::add_line(std::string_view text, int64_t begin, int64_t number) {
  const std::string at = where(file_.name(), number);
  if (text.size() > kBodyBytesMax)
    bad_input("{}: {} bytes, at most {} expected", at, text.size(), kBodyBytesMax);
  ids_.push_back({hash_of(custom_id_of(text, at)), size()});
  lines_.push_back({begin, number});
}

// Of equal ids the first two in the file are named.
void BatchInput::index_ids() {
  std::ranges::sort(ids_, [](const Id& a, const Id& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.index < b.index;
  });
  const Id* first = nullptr;
  for (size_t i = 1; i < ids_.size(); ++i) {
    if (ids_[i].hash == ids_[i - 1].hash && (first == nullptr || ids_[i].index < first[1].index))
      first = &ids_[i - 1];
  }
  if (first == nullptr) return;
  const std::string at = where(file_.name(), line_number(first[1].index));
  bad_input("{}: custom_id \"{}\": that of line {} too", at,
            printable(custom_id_of(line(first[1].index), at)), line_number(first->index));
}

BatchInput BatchInput::open(const std::filesystem::path& path,
                            const std::function<void(int64_t bytes)>& progress) {
  BatchInput input;
  input.path_ = path;
  input.file_ = FileMap::open(path);
  const std::string_view text = as_text(input.file_.bytes());
  Digest digest(Digest::Kind::sha256);
  size_t hashed = 0;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const std::string_view line = line_at(text, begin);
    ++number;
    if (!is_blank(line)) input.add_line(line, static_cast<int64_t>(begin), number);
    begin = std::min(begin + line.size() + 1, text.size());
    if (begin - hashed < kHashPieceBytes && begin < text.size()) continue;
    digest.update(text.substr(hashed, begin - hashed));
    if (progress) progress(static_cast<int64_t>(begin - hashed));
    hashed = begin;
  }
  input.sha256_ = digest.hex();
  if (input.lines_.empty()) bad_input("{}: at least one request expected", input.file_.name());
  input.index_ids();
  return input;
}

std::string_view BatchInput::line(int64_t index) const {
  const auto stamp = FileMap::stamp_of(path_);
  if (!stamp || !stamp->is_same(file_.stamp()))
    bad_input("{}: changed while its requests run", file_.name());
  const Line& line = lines_[static_cast<size_t>(index)];
  return line_at(as_text(file_.bytes()), static_cast<size_t>(line.begin));
}

std::optional<int64_t> BatchInput::find(std::string_view custom_id) const {
  const Hash hash = hash_of(custom_id);
  const auto found = std::ranges::lower_bound(ids_, hash, {}, &Id::hash);
  if (found == ids_.end() || found->hash != hash) return std::nullopt;
  return found->index;
}

}  // namespace bittern::serve
