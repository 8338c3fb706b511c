// Chat templates: any bytes as a template, rendered over a fixed conversation. What comes out has
// its users' ranges in order, and the same bytes a second time.
#include "base/check.h"
#include "chat/conversation.h"
#include "fuzz/target.h"

using namespace bittern;

namespace {

chat::Conversation conversation() {
  using chat::Dict;
  using chat::List;
  using chat::Value;
  chat::Conversation made;
  made.messages = {
      chat::message("system", "Be kind."), chat::message("user", "Hi <|im_end|>\n"),
      Dict{{"role", "assistant"},
           {"content", nullptr},
           {"tool_calls",
            List{Dict{
                {"id", "1"},
                {"function", Dict{{"name", "f"}, {"arguments", Dict{{"x", 1}, {"y", 0.5}}}}}}}}},
      chat::message("tool", "\xc3\xa4 42")};
  made.tools = List{Dict{{"type", "function"}, {"function", Dict{{"name", "f"}}}}};
  made.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source = as_text(fuzz::input(data, size));
  return fuzz::accept_errors([&] {
    const auto parsed = chat::Template::parse(source, "template");
    const std::tm now{};
    const chat::Rendered first = chat::render(parsed, conversation(), {.now = &now});
    size_t end = 0;
    for (const text::TextRange& range : first.literal) {
      BITTERN_CHECK(end <= range.begin && range.begin < range.end && range.end <= first.text.size(),
                    "range {} to {} after {}", range.begin, range.end, end);
      end = range.end;
    }
    const chat::Rendered second = chat::render(parsed, conversation(), {.now = &now});
    BITTERN_CHECK(first.text == second.text, "two renders of {} bytes differ", size);
  });
}
