#include "cli/choice_stream.h"

#include <fmt/format.h>

#include <utility>

namespace bittern::cli {

ChoiceStream::ChoiceStream(int64_t choices, std::string echo,
                           std::function<void(std::string_view)> write)
    : choices_(static_cast<size_t>(choices)), echo_(std::move(echo)), write_(std::move(write)) {
  begin();
}

void ChoiceStream::begin() {
  if (choices_.size() > 1) write_(fmt::format("--- choice {} ---\n", shown_ + 1));
  if (!echo_.empty()) write_(echo_);
}

void ChoiceStream::add(int64_t choice, std::string_view text) {
  const auto index = static_cast<size_t>(choice);
  if (index == shown_)
    show(choices_[index], text);
  else
    choices_[index].waiting += text;
}

void ChoiceStream::end(int64_t choice) {
  choices_[static_cast<size_t>(choice)].has_ended = true;
  while (shown_ < choices_.size() && choices_[shown_].has_ended) {
    if (!choices_[shown_].ends_line) write_("\n");
    if (++shown_ == choices_.size()) return;
    begin();
    show(choices_[shown_], std::exchange(choices_[shown_].waiting, {}));
  }
}

void ChoiceStream::show(Choice& choice, std::string_view text) {
  if (text.empty()) return;
  choice.ends_line = text.back() == '\n';
  write_(text);
}

}  // namespace bittern::cli
