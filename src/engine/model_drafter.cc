#include "engine/model_drafter.h"

#include <algorithm>

#include "model/sequence.h"

namespace bittern::engine {
namespace {

constexpr double kFirstProbability = 0.7;
// A new measurement of what a guess takes counts so much.
constexpr double kWeight = 0.1;
// So often one guess is made that does not look worth it: things change.
constexpr int64_t kTryEvery = 64;

}  // namespace

class ModelDrafter final : public Drafter {
 public:
  explicit ModelDrafter(DraftModel& shared) : shared_(shared) {}
  ~ModelDrafter() override {
    for (const int32_t page : state_.pages) shared_.pages_.drop(page);
  }
  ModelDrafter(const ModelDrafter&) = delete;
  ModelDrafter& operator=(const ModelDrafter&) = delete;

  Guesses guess(std::span<const int32_t> tokens, const GuessLimits& limits) override {
    if (guessed_at_ > 0) record_.learn(guesses_, tokens.subspan(guessed_at_));
    guesses_.clear();
    guessed_at_ = tokens.size();
    int64_t most = worth(limits);
    if (++calls_ % kTryEvery == 0) most = std::clamp<int64_t>(limits.most, most, most + 1);
    const float* logits = most > 0 ? catch_up(tokens) : nullptr;
    while (logits != nullptr) {
      guesses_.push_back(likeliest(logits));
      read_.push_back(guesses_.back());
      if (std::ssize(guesses_) >= most) break;
      logits = run(std::ssize(read_));
    }
    return {guesses_, record_.probability()};
  }

 private:
  // As many guesses as are more likely to save a token than to take its time.
  int64_t worth(const GuessLimits& limits) const {
    if (limits.token_seconds == 0.0 || shared_.guess_seconds_ == 0.0) return limits.most;
    int64_t count = 0;
    for (double right = record_.probability(); count < limits.most; right *= record_.probability())
      if (right * limits.token_seconds > shared_.guess_seconds_)
        ++count;
      else
        break;
    return count;
  }

  // Logits behind the text; null where there is no room, or too much to read for one step.
  const float* catch_up(std::span<const int32_t> tokens) {
    const auto same = std::ranges::mismatch(read_, tokens).in1 - read_.begin();
    read_.assign(tokens.begin(), tokens.end());
    state_.length = std::min<int64_t>({state_.length, same, std::ssize(tokens) - 1});
    return run(std::ssize(tokens));
  }

  // Reads read_[.. end); one step at most.
  const float* run(int64_t end) {
    const int64_t first = state_.length;
    const int64_t count = std::min(end - first, shared_.limits_.max_rows);
    if (first + count > shared_.limits_.context || !reserve(first + count)) return nullptr;
    rows_.clear();
    for (int64_t place = first; place < first + count; ++place)
      rows_.push_back({.token = read_[static_cast<size_t>(place)],
                       .position = static_cast<int32_t>(place),
                       .sequence = &state_,
                       .wants_logits = place + 1 == end});
    const backend::HeadCut likeliest = {.top = 1, .outputs = shared_.limits_.vocab_size};
    const double started = shared_.clock_();
    const float* logits =
        shared_.model_.run(rows_, std::span(&likeliest, rows_.back().wants_logits ? 1 : 0));
    state_.length = first + count;
    if (count == 1) {
      double& seconds = shared_.guess_seconds_;
      const double took = shared_.clock_() - started;
      seconds = seconds == 0.0 ? took : seconds + kWeight * (took - seconds);
    }
    return first + count == end ? logits : nullptr;
  }

  bool reserve(int64_t positions) {
    const int64_t missing = model::PagePool::pages_for(positions) - std::ssize(state_.pages);
    if (missing > shared_.pages_.available()) return false;
    for (int64_t page = 0; page < missing; ++page) state_.pages.push_back(shared_.pages_.take());
    return true;
  }

  int32_t likeliest(const float* logits) const {
    return static_cast<int32_t>(std::max_element(logits, logits + shared_.limits_.vocab_size) -
                                logits);
  }

  DraftModel& shared_;
  model::SequenceState state_;
  std::vector<int32_t> read_;  // what state_ has computed, and what comes next
  std::vector<model::BatchRow> rows_;
  std::vector<int32_t> guesses_;
  size_t guessed_at_ = 0;  // length of the text then
  int64_t calls_ = 0;
  GuessRecord record_{kFirstProbability};
};

DraftModel::DraftModel(StepModel& model, std::function<double()> clock)
    : model_(model),
      clock_(std::move(clock)),
      limits_(model.limits()),
      pages_(limits_.page_count) {}

std::unique_ptr<Drafter> DraftModel::make_drafter() {
  return std::make_unique<ModelDrafter>(*this);
}

}  // namespace bittern::engine
