#include "api/chat_conversation.h"

#include <optional>
#include <string>
#include <utility>

#include "api/status.h"
#include "base/json.h"

namespace bittern::api {
namespace {

constexpr const char* kName = "chat_json";

// The members beside the messages that are already in `conversation`.
struct Extras {
  chat::Conversation& conversation;
  std::optional<std::string> chat_template;

  void take(std::string_view name, const json::Value& value);
};

chat::List list_of(std::string_view name, const json::Value& value) {
  const chat::Value given = chat::Value::from_json(value);
  if (given.list() == nullptr)
    fail(ErrorKind::usage, "{}: {}: an array expected, got {}", kName, name,
         json::kind_name(value.kind()));
  return *given.list();
}

void Extras::take(std::string_view name, const json::Value& value) {
  if (value.is(json::Kind::null)) return;
  if (name == "messages") {
    for (chat::Value& message : list_of(name, value))
      conversation.messages.push_back(std::move(message));
  } else if (name == "tools") {
    conversation.tools = list_of(name, value);
  } else if (name == "documents") {
    conversation.documents = list_of(name, value);
  } else if (name == "add_generation_prompt") {
    conversation.add_generation_prompt = value.as_boolean(name);
  } else if (name == "continue_final") {
    conversation.continue_final = value.as_string(name);
  } else if (name == "chat_template") {
    chat_template = value.as_string(name);
  } else if (name == "chat_template_kwargs") {
    const chat::Value given = chat::Value::from_json(value);
    if (given.dict() == nullptr)
      fail(ErrorKind::usage, "{}: {}: an object expected, got {}", kName, name,
           json::kind_name(value.kind()));
    conversation.variables = *given.dict();
  } else {
    fail(ErrorKind::usage,
         "{}: messages, tools, documents, add_generation_prompt, continue_final, chat_template or "
         "chat_template_kwargs expected, got \"{}\"",
         kName, printable(name));
  }
}

}  // namespace

engine::Prompt render_chat(Instance& instance, std::span<const bittern_message> messages,
                           const char* json) {
  chat::Conversation conversation;
  for (const bittern_message& message : messages) {
    require(message.role, "messages: role");
    require(message.content, "messages: content");
    conversation.messages.push_back(chat::message(message.role, message.content));
  }
  Extras extras{conversation, std::nullopt};
  if (json != nullptr) {
    const auto document = json::Document::parse(json, kName);
    for (const auto& [name, value] : document->root().members("the whole"))
      extras.take(name, value);
  }
  if (conversation.messages.empty())
    fail(ErrorKind::usage, "messages: at least one message expected");
  if (extras.chat_template) {
    const engine::ChatTemplate own(*extras.chat_template, kName, instance.model().checkpoint);
    return own.render(std::move(conversation));
  }
  const bool has_tools = !conversation.tools.is_null();
  return instance.chat_template(has_tools).render(std::move(conversation));
}

}  // namespace bittern::api
