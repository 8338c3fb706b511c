#include "store/transfer.h"

#include <algorithm>

#include "base/error.h"
#include "base/inflate.h"
#include "base/interrupt.h"
#include "store/partial_file.h"

namespace bittern::model_store {
namespace {

// Changes whenever the bytes that are wanted could be others.
std::string source_key(const Transfer& transfer) {
  std::string key;
  for (const Piece& piece : transfer.pieces)
    key += fmt::format("{} {}+{}{}\n", shown_url(piece.url), piece.offset,
                       piece.length.value_or(-1), piece.deflated ? " deflated" : "");
  return key + transfer.sha256 + transfer.git_sha1;
}

// Whether a changed resource could not pass unnoticed.
bool is_verified(const Transfer& transfer, const Piece& piece) {
  return !transfer.sha256.empty() || !transfer.git_sha1.empty() || piece.crc32;
}

// One piece on its way into the file.
class PieceRun {
 public:
  PieceRun(Http& http, const Transfer& transfer, PartialFile& file, Place place, Progress& progress,
           const Log& log)
      : http_(http),
        transfer_(transfer),
        piece_(transfer.pieces[place.piece]),
        file_(file),
        place_(std::move(place)),
        progress_(progress),
        log_(log),
        furthest_(place_.bytes()) {
    go_on();
  }

  // Throws what cannot be helped; the place reached is noted before.
  void run() {
    try {
      for (int failures = 1; !attempt(failures); ++failures)
        if (failures > kTriesMax) spoilt("the server never sends it whole");
      check();
    } catch (const Error&) {
      note_if_possible();
      throw;
    }
  }

 private:
  Http& http_;
  const Transfer& transfer_;
  const Piece& piece_;
  PartialFile& file_;
  Place place_;  // the last one from which the piece can be taken up again
  Progress& progress_;
  const Log& log_;
  std::optional<Inflater> inflater_;
  int64_t in_ = 0;  // bytes of the piece used
  int64_t noted_ = 0;
  int64_t furthest_ = 0;  // place ever reached: what goes round in circles gets nowhere
  bool answered_ = false;

  // Back to `place_`.
  void go_on() {
    if (file_.bytes() != place_.bytes()) {
      progress_.advance(place_.bytes() - file_.bytes());
      file_.cut(place_.bytes());
    }
    in_ = place_.point.in;
    if (!piece_.deflated) return;
    if (place_.point.in == 0) {
      inflater_.emplace();
    } else {
      // Of this piece alone: a member knows nothing of what stands before it.
      const int64_t window = std::min(kInflateWindow, place_.point.out);
      inflater_.emplace(place_.point, file_.tail(place_.bytes(), window));
    }
  }

  void restart(std::string_view why) {
    log_.detail("{}: from the start: {}", transfer_.label, why);
    place_.point = {};
    place_.etag.clear();
    go_on();
  }

  // What arrived is of no use: it goes, and the error says why.
  template <typename... Args>
  [[noreturn]] void spoilt(fmt::format_string<Args...> text, Args&&... args) {
    file_.discard();
    bad_input("{}: {}; what arrived was removed", transfer_.label,
              fmt::format(text, std::forward<Args>(args)...));
  }

  // On the way out with an error that must not be hidden by a second one (a full disk).
  void note_if_possible() {
    try {
      if (place_.bytes() > 0) file_.note(place_);
    } catch (const Error& error) {
      log_.detail("{}", error.message());
    }
  }

  void mark_place() {
    if (inflater_) {
      place_.point = inflater_->point();
    } else {
      place_.point = {in_, in_, 0, 0};
    }
    if (place_.bytes() - noted_ < kNoteEveryBytes) return;
    noted_ = place_.bytes();
    file_.note(place_);
  }

  Request request() const {
    Request request;
    request.url = piece_.url;
    request.token = piece_.token;
    if (piece_.length) {
      request.range = ByteRange{piece_.offset + in_, piece_.offset + *piece_.length - 1};
    } else if (in_ > 0) {
      request.range = ByteRange{in_, std::nullopt};
    }
    if (in_ > 0) request.if_range = place_.etag;
    return request;
  }

  // The whole piece is here (the request for nothing at all would be malformed).
  bool is_complete() const {
    return (piece_.length && in_ == *piece_.length) ||
           (!piece_.length && piece_.bytes && in_ == *piece_.bytes && in_ > 0);
  }

  // The answer to request() as its headers say; false where it is not what can be gone on with.
  bool accept(const Response& response) {
    answered_ = true;
    const int64_t wanted = piece_.offset + in_;
    if (response.status == 206) {
      const auto range = response.content_range();
      if (!range || range->first != wanted)
        spoilt("bytes from {} expected, the server sends \"{}\"", wanted,
               printable(response.header("content-range")));
      if (!piece_.length) check_total(range->total);
      if (!place_.etag.empty() && response.strong_etag() != place_.etag)
        return changed("it has changed on the server");
      if (in_ == 0) place_.etag = response.strong_etag();
      return true;
    }
    if (piece_.length)
      fail(ErrorKind::unsupported, "{}: the server does not send parts of a file", transfer_.label);
    if (const auto total = response.content_length()) check_total(*total);
    if (in_ > 0) return changed("the server sends the whole file");
    place_.etag = response.strong_etag();
    return true;
  }

  bool changed(std::string_view why) {
    if (piece_.length) spoilt("the archive has changed on the server; pull again");
    restart(why);
    return false;
  }

  void check_total(int64_t total) {
    if (piece_.bytes && total != *piece_.bytes)
      spoilt("{} bytes expected, the server has {}", *piece_.bytes, total);
  }

  void take(Bytes bytes) {
    if (piece_.length && static_cast<int64_t>(bytes.size()) > *piece_.length - in_)
      spoilt("{} bytes expected, the server sends more", *piece_.length);
    const auto write = [&](Bytes out) {
      const int64_t after = file_.bytes() - place_.piece_start + static_cast<int64_t>(out.size());
      if (piece_.bytes && after > *piece_.bytes)
        spoilt("{} bytes expected, more arrive", *piece_.bytes);
      file_.write(out);
      progress_.advance(static_cast<int64_t>(out.size()));
    };
    if (inflater_) {
      in_ += static_cast<int64_t>(unpack(bytes, write));
    } else {
      write(bytes);
      in_ += static_cast<int64_t>(bytes.size());
    }
    mark_place();
  }

  size_t unpack(Bytes bytes, const Inflater::Sink& write) {
    try {
      const size_t used = inflater_->push(bytes, transfer_.label, write);
      if (used == bytes.size()) return used;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::bad_input) file_.discard();
      throw;
    }
    spoilt("packed data end before the member does");
  }

  // One exchange. True where the piece is whole; `failures` counts those without a byte between.
  bool attempt(int& failures) {
    if (is_complete()) return true;
    // Without an entity tag or a digest nobody would notice that the rest is of another file.
    if (in_ > 0 && place_.etag.empty() && !is_verified(transfer_, piece_))
      restart("the server does not say whether the file is still the same");
    bool gone_on = true;
    bool first = true;
    const Response response = http_.exchange(request(), [&](const Response& head, Bytes bytes) {
      if (std::exchange(first, false)) {
        const bool whole = head.status == 200 && in_ > 0 && !piece_.length;
        // A whole file in place of its rest is as good: it is taken from the start.
        gone_on = accept(head) || whole;
        if (gone_on && whole) place_.etag = head.strong_etag();
      }
      if (gone_on) take(bytes);
      return gone_on;
    });
    if (place_.bytes() > furthest_) failures = 1;
    furthest_ = std::max(furthest_, place_.bytes());
    if (!gone_on) return false;
    const bool good = response.status == 200 || response.status == 206;
    if (response.failure == Failure::none && good) return finished_well(response, failures);
    if (response.status == 416 && in_ > 0) {
      restart("the file is shorter on the server");
      return false;
    }
    go_on();
    if (response.failure == Failure::unreached && !answered_) refuse(response, transfer_.label);
    if (!http_.wait_for_another_try(response, failures)) refuse(response, transfer_.label);
    return false;
  }

  // An exchange that ended as the server meant it to; a short one is tried again.
  bool finished_well(const Response& response, int failures) {
    if (piece_.length ? in_ == *piece_.length : !piece_.bytes || in_ == *piece_.bytes) return true;
    Response cut = response;
    cut.failure = Failure::broken;
    cut.problem = "it ended early";
    go_on();
    if (!http_.wait_for_another_try(cut, failures)) refuse(cut, transfer_.label);
    return false;
  }

  void check() {
    if (inflater_ && !inflater_->finished()) spoilt("packed data end before their end mark");
    const int64_t made = file_.bytes() - place_.piece_start;
    if (piece_.bytes && made != *piece_.bytes)
      spoilt("{} bytes expected, got {}", *piece_.bytes, made);
    if (piece_.crc32 && transfer_.sha256.empty()) {
      const uint32_t crc = file_.crc32_from(place_.piece_start);
      if (crc != *piece_.crc32) spoilt("crc-32 {:08x} expected, got {:08x}", *piece_.crc32, crc);
    }
  }
};

void check_digests(PartialFile& file, const Transfer& transfer, const std::string& sha256) {
  const auto differs = [&](std::string_view name, const std::string& expected,
                           const std::string& got) {
    if (expected.empty() || expected == got) return;
    file.discard();
    bad_input("{}: {} {} expected, got {}; what arrived was removed", transfer.label, name,
              expected, got);
  };
  if (transfer.bytes && *transfer.bytes != file.bytes()) {
    file.discard();
    bad_input("{}: {} bytes expected, got {}; what arrived was removed", transfer.label,
              *transfer.bytes, file.bytes());
  }
  differs("sha256", transfer.sha256, sha256);
  if (transfer.sha256.empty() && !transfer.git_sha1.empty())
    differs("git blob", transfer.git_sha1, file.git_sha1());
}

}  // namespace

int64_t bytes_already_here(const Transfer& transfer) {
  return PartialFile::noted_place(transfer.target, source_key(transfer)).bytes();
}

Arrived run_transfer(Http& http, const Transfer& transfer, Progress& progress, const Log& log) {
  PartialFile file(transfer.target, source_key(transfer));
  Place place = file.start();
  if (place.piece >= transfer.pieces.size()) place = {};
  progress.skip(place.bytes());
  if (place.bytes() > 0)
    log.info("{}: going on from {}", transfer.label,
             format_bytes(static_cast<double>(place.bytes())));
  while (place.piece < transfer.pieces.size()) {
    PieceRun(http, transfer, file, place, progress, log).run();
    place = Place{place.piece + 1, file.bytes(), {}, {}};
  }
  Arrived arrived{file.bytes(), file.sha256()};
  check_digests(file, transfer, arrived.sha256);
  file.commit();
  return arrived;
}

}  // namespace bittern::model_store
