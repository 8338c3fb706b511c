// The rules are those of transformers 5.23 (utils/chat_template_utils.py, render_jinja_template).
#include "chat/conversation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/utf8.h"
#include "chat/jinja/characters.h"

namespace bittern::chat {
namespace {

constexpr std::array<std::string_view, 3> kReasoningFields = {"reasoning_content", "thinking",
                                                              "reasoning"};
// Put behind the text to be continued, to find it again in what the template made of it. The
// space shows whether the template trimmed the message.
constexpr std::string_view kMark = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kTrimmedMark = kMark.substr(0, kMark.size() - 1);

// Words that templates may build special tokens of.
bool is_usual_role(std::string_view role) {
  constexpr std::array<std::string_view, 12> kRoles = {
      "system", "developer",   "user",      "assistant",       "tool",       "function", "ipython",
      "model",  "observation", "documents", "available_tools", "environment"};
  return std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end();
}

bool is_given(const Value* value) { return value != nullptr && !value->is_null(); }

// {"thinking": reasoning, **message}: in front, with the message's own value where it has one.
void set_first(Value& message, std::string_view name, const Value& value) {
  Dict& members = std::get<Dict>(message.storage());
  const auto old = std::find_if(members.begin(), members.end(),
                                [&](const auto& member) { return member.first == name; });
  std::pair<std::string, Value> first{std::string(name), value};
  if (old != members.end()) {
    first = std::move(*old);
    members.erase(old);
  }
  members.insert(members.begin(), std::move(first));
}

void prepare(Value& message) {
  if (message.dict() == nullptr) bad_input("chat: a message: a dictionary expected");
  const Value* role = message.find("role");
  if (role != nullptr && role->text() != nullptr && is_usual_role(*role->text()))
    message.set("role", Value::trusted_text(*role->text()));
  for (const std::string_view field : kReasoningFields) {
    const Value* reasoning = message.find(field);
    if (!is_given(reasoning)) continue;
    const Value text = *reasoning;
    set_first(message, "thinking", text);
    message.set("reasoning_content", text);
    return;
  }
}

std::string_view stripped(std::string_view text) {
  const auto space = [](std::string_view rest) {
    return jinja::is_space(utf8::decode(rest).code_point);
  };
  while (!text.empty() && space(text)) text.remove_prefix(utf8::decode(text).length);
  size_t kept = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8::decode(text.substr(at)).length;
    const bool is_space = space(text.substr(at));
    at += length;
    if (!is_space) kept = at;
  }
  return text.substr(0, kept);
}

std::string_view stripped_right(std::string_view text) {
  const std::string_view inner = stripped(text);
  return inner.empty() ? inner : text.substr(0, static_cast<size_t>(inner.end() - text.begin()));
}

// Appends the mark to the text to be continued and returns that text as it was.
std::string open_final(List& messages, const std::string& field) {
  if (messages.empty()) bad_input("chat: a message to continue expected, got no messages");
  Value& last = messages.back();
  const Value* found = last.find(field);
  if (!is_given(found))
    bad_input("chat: the last message: '{}' to continue expected, got none", printable(field));
  if (const std::string* text = found->text()) {
    const std::string original = *text;
    std::vector<std::string_view> names{field};
    if (std::find(kReasoningFields.begin(), kReasoningFields.end(), field) !=
        kReasoningFields.end())
      names.assign(kReasoningFields.begin(), kReasoningFields.end());
    for (const std::string_view name : names) {
      const Value* copy = last.find(name);
      if (copy != nullptr && copy->text() != nullptr && *copy->text() == original)
        last.set(name, original + std::string(kMark));
    }
    return original;
  }
  List parts = found->list() != nullptr ? *found->list() : List();
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const Value* text = part->find("text");
    if (text == nullptr || text->text() == nullptr) continue;
    std::string original = *text->text();
    part->set("text", original + std::string(kMark));
    last.set(field, std::move(parts));
    return original;
  }
  bad_input("chat: the last message: a text to continue expected in '{}'", printable(field));
}

void cut(Rendered& rendered, size_t size) {
  rendered.text.resize(size);
  while (!rendered.literal.empty() && rendered.literal.back().begin >= size)
    rendered.literal.pop_back();
  if (!rendered.literal.empty())
    rendered.literal.back().end = std::min(rendered.literal.back().end, size);
}

void cut_at_mark(Rendered& rendered, const std::string& original) {
  const size_t mark = rendered.text.rfind(kTrimmedMark);
  if (mark == std::string::npos || rendered.text.find(stripped(original)) == std::string::npos)
    bad_input("chat: the template leaves out the message that is to be continued");
  const bool trimmed = rendered.text.compare(mark, kMark.size(), kMark) != 0;
  const std::string_view before = std::string_view(rendered.text).substr(0, mark);
  cut(rendered, trimmed ? stripped_right(before).size() : mark);
}

}  // namespace

Value message(std::string_view role, std::string_view content) {
  return Dict{{"role", Value(role)}, {"content", Value(content)}};
}

Rendered render(const Template& chat_template, Conversation conversation,
                const RenderOptions& options) {
  for (Value& one : conversation.messages) prepare(one);
  std::string original;
  if (conversation.continue_final)
    original = open_final(conversation.messages, *conversation.continue_final);
  Value all = Dict();
  for (auto& [name, text] : conversation.special_tokens)
    all.set(name, Value::trusted_text(std::move(text)));
  for (auto& [name, value] : conversation.variables) all.set(name, std::move(value));
  all.set("messages", std::move(conversation.messages));
  all.set("tools", std::move(conversation.tools));
  all.set("documents", std::move(conversation.documents));
  all.set("add_generation_prompt",
          conversation.add_generation_prompt && !conversation.continue_final);
  Rendered rendered = chat_template.render(*all.dict(), options);
  if (conversation.continue_final) cut_at_mark(rendered, original);
  return rendered;
}

}  // namespace bittern::chat
