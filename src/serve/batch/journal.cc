#include "serve/batch/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "serve/batch/batch_line.h"

namespace bittern::serve {
namespace {

constexpr std::string_view kMagic = "{\"bittern_batch\":1,";
constexpr std::string_view kKey = "bittern_batch";
constexpr double kSyncSeconds = 1.0;

std::string reason(int error) { return std::system_category().message(error); }

// So that a loss of power leaves what its files are called.
void sync_folder(const std::filesystem::path& file) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // not readable: then the system decides when
  ::fsync(descriptor);
  ::close(descriptor);
}

std::string header(const BatchInput& input, const BatchSettings& settings) {
  JsonBuilder values = JsonBuilder::object();
  for (const auto& [name, value] : settings) values[name] = value;
  const JsonBuilder line = {
      {kKey, 1},
      {"input", {{"sha256", input.sha256()}, {"bytes", input.bytes()}, {"requests", input.size()}}},
      {"settings", std::move(values)}};
  return to_text(line) + "\n";
}

struct Header {
  std::string sha256;
  BatchSettings settings;
};

// Nothing where the first line is torn.
std::optional<Header> read_header(std::string_view text, const std::string& file) {
  if (!text.starts_with(kMagic) && !kMagic.starts_with(text))
    bad_input("{}: no journal of a batch; nothing else should have this name", file);
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const auto document = json::Document::parse(text.substr(0, end), file);
  const auto input = document->root().get("input"), settings = document->root().get("settings");
  const auto sha256 = input ? input->get_string("sha256") : std::nullopt;
  if (!sha256 || !settings) bad_input("{}: line 1: input and settings expected", file);
  Header header{.sha256 = std::string(*sha256), .settings = {}};
  for (const auto& [name, value] : settings->members("settings"))
    header.settings.emplace_back(name, value.as_string(name));
  return header;
}

const std::string* find(const BatchSettings& settings, const std::string& name) {
  const auto found = std::ranges::find(settings, name, &BatchSettings::value_type::first);
  return found == settings.end() ? nullptr : &found->second;
}

void require_same(const Header& old, const BatchInput& input, const BatchSettings& settings,
                  const std::string& file) {
  constexpr std::string_view kNext = "give the same again, or --overwrite to begin afresh";
  if (old.sha256 != input.sha256())
    bad_input("{}: begun with another input than {}; {}", file, input.name(), kNext);
  BatchSettings all = old.settings;
  all.insert(all.end(), settings.begin(), settings.end());
  for (const auto& [name, unused] : all) {
    const std::string* before = find(old.settings, name);
    const std::string* now = find(settings, name);
    if (before != nullptr && now != nullptr && *before == *now) continue;
    const auto shown = [](const std::string* value) {
      return value == nullptr ? std::string("nothing") : printable(*value);
    };
    bad_input("{}: begun with {} {}, now {}; {}", file, printable(name), shown(before), shown(now),
              kNext);
  }
}

}  // namespace

std::optional<BatchSettings> Journal::settings_of(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const FileMap file = FileMap::open(path);
  auto header = read_header(as_text(file.bytes()), file.name());
  if (!header) return std::nullopt;
  return std::move(header->settings);
}

bool Journal::belongs_to(const std::filesystem::path& path, const BatchInput& input,
                         const BatchSettings& settings) {
  if (!std::filesystem::exists(path)) return true;
  try {
    const FileMap file = FileMap::open(path);
    if (const auto header = read_header(as_text(file.bytes()), file.name()))
      require_same(*header, input, settings, file.name());
    return true;
  } catch (const Error&) {
    return false;
  }
}

Journal::Journal(std::filesystem::path path, const BatchInput& input, const BatchSettings& settings)
    : path_(std::move(path)), input_(input), places_(static_cast<size_t>(input.size())) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    fail(ErrorKind::resources, "{}: cannot write: {}", path_.string(), reason(errno));
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
      fail(ErrorKind::resources, "{}: another process writes it", path_.string());
    const FileMap file = FileMap::open(path_);
    const std::string_view text = as_text(file.bytes());
    if (read_header(text, path_.string()))
      take_over(text, settings);
    else
      begin(settings);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
  synced_at_ = monotonic_seconds();
}

Journal::~Journal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Journal::begin(const BatchSettings& settings) {
  if (::ftruncate(descriptor_, 0) != 0)
    fail(ErrorKind::resources, "{}: cannot write: {}", path_.string(), reason(errno));
  write(header(input_, settings));
  sync();
  sync_folder(path_);
}

// Lines up to the first that is torn or is not of this batch; what lies behind is cut off.
void Journal::take_over(std::string_view text, const BatchSettings& settings) {
  require_same(*read_header(text, path_.string()), input_, settings, path_.string());
  size_t begin = text.find('\n') + 1;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos ||
        !take_line(text.substr(begin, end - begin), static_cast<int64_t>(begin)))
      break;
    begin = end + 1;
  }
  end_ = static_cast<int64_t>(begin);
  cut_bytes_ = static_cast<int64_t>(text.size() - begin);
  if (::ftruncate(descriptor_, end_) != 0 || ::lseek(descriptor_, end_, SEEK_SET) != end_)
    fail(ErrorKind::resources, "{}: cannot write: {}", path_.string(), reason(errno));
}

bool Journal::take_line(std::string_view line, int64_t begin) {
  BatchOutcome outcome;
  try {
    outcome = read_batch_output(line, path_.string());
  } catch (const Error&) {
    return false;
  }
  const auto index = input_.find(outcome.custom_id);
  if (!index || is_done(*index)) return false;
  if (outcome.id != batch_ids(input_.sha256(), input_.line_number(*index)).line) return false;
  places_[static_cast<size_t>(*index)] = {begin, outcome.is_error};
  ++done_;
  errors_ += outcome.is_error;
  return true;
}

void Journal::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      fail(ErrorKind::resources, "{}: cannot write: {}", path_.string(), reason(errno));
    text.remove_prefix(static_cast<size_t>(count));
    end_ += count;
  }
}

void Journal::append(int64_t index, std::string_view line, bool is_error) {
  const int64_t begin = end_;
  std::string whole(line);
  whole += '\n';
  write(whole);
  places_[static_cast<size_t>(index)] = {begin, is_error};
  ++done_;
  errors_ += is_error;
  if (monotonic_seconds() - synced_at_ > kSyncSeconds) sync();
}

void Journal::sync() {
  if (::fsync(descriptor_) != 0)
    fail(ErrorKind::resources, "{}: cannot write: {}", path_.string(), reason(errno));
  synced_at_ = monotonic_seconds();
}

void Journal::write_sorted(const std::filesystem::path& path, bool errors) const {
  const FileMap file = FileMap::open(path_);
  const std::string_view text = as_text(file.bytes());
  AtomicFile out(path);
  for (const Place& place : places_) {
    if (place.is_error != errors) continue;
    const auto begin = static_cast<size_t>(place.begin);
    out.write(text.substr(begin, text.find('\n', begin) + 1 - begin));
  }
  out.commit();
}

// The errors first: once the output is there, all is. Killed in between, the journal is there to do
// it again.
void Journal::finish(const std::filesystem::path& output, const std::filesystem::path& errors) {
  sync();
  if (errors_ > 0)
    write_sorted(errors, true);
  else
    std::filesystem::remove(errors);
  write_sorted(output, false);
  sync_folder(errors);
  sync_folder(output);
  std::filesystem::remove(path_);
}

}  // namespace bittern::serve
