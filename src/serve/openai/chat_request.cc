#include "serve/openai/chat_request.h"

#include <limits>

#include "serve/limits.h"
#include "serve/openai/error.h"

namespace bittern::serve::openai {
namespace {

constexpr int64_t kTokensMax = std::numeric_limits<int32_t>::max();

chat::Value value_of(const json::Value& value, const std::string& path) {
  try {
    return chat::Value::from_json(value);
  } catch (const Error& error) {  // an integer of more than 64 bits
    refuse(path, error_code::kValue, "{}", error.message());
  }
}

// The text of a part: {"type": "text", "text": "..."}.
std::string part_text(const json::Value& value, const std::string& path) {
  Fields part(value, path);
  const std::string type = text_of(part.require("type"), part.path("type"));
  if (type != "text" && type != "refusal")
    refuse(part.path("type"), error_code::kUnsupported,
           "parts of type text are supported, got \"{}\"", printable(type));
  std::string text = text_of(part.require(type), part.path(type));
  part.ignore("prompt_cache_breakpoint");  // a hint
  part.finish();
  return text;
}

std::string content_text(const json::Value& value, const std::string& path) {
  if (value.is(json::Kind::string)) return text_of(value, path);
  if (!value.is(json::Kind::array))
    refuse(path, error_code::kType, "string or array of parts expected, got {}",
           json::kind_name(value.kind()));
  std::string text;
  size_t index = 0;
  for (const json::Value& part : value.elements(path)) {
    if (index > 0) text += '\n';
    text += part_text(part, element_path(path, index++));
  }
  return text;
}

// {"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}
chat::Value tool_call(const json::Value& value, const std::string& path) {
  Fields call(value, path);
  chat::Value result = chat::Dict();
  if (auto id = call.text("id")) result.set("id", *std::move(id));
  call.choice("type", {"function"});
  result.set("type", "function");
  call.ignore("index");  // of a stream's pieces, which clients keep
  Fields function(call.require("function"), call.path("function"));
  chat::Value described = chat::Dict();
  described.set("name", text_of(function.require("name"), function.path("name")));
  const std::string arguments_path = function.path("arguments");
  const std::string arguments = text_of(function.require("arguments"), arguments_path);
  try {
    const auto document = json::Document::parse(arguments.empty() ? "{}" : arguments, "arguments");
    if (!document->root().is(json::Kind::object)) bad_input("no object");
    described.set("arguments", chat::Value::from_json(document->root()));
  } catch (const Error&) {
    refuse(arguments_path, error_code::kValue, "the text of a JSON object expected, got \"{}\"",
           printable(arguments));
  }
  function.finish();
  call.finish();
  result.set("function", std::move(described));
  return result;
}

void read_tool_calls(Fields& fields, chat::Value& message) {
  const auto value = fields.take("tool_calls");
  if (!value) return;
  const std::string path = fields.path("tool_calls");
  chat::List calls;
  for (const json::Value& call : elements_of(*value, path))
    calls.push_back(tool_call(call, element_path(path, calls.size())));
  if (!calls.empty()) message.set("tool_calls", std::move(calls));
}

chat::Value read_message(const json::Value& value, const std::string& path) {
  Fields fields(value, path);
  fields.require("role");
  const std::string role =
      *fields.choice("role", {"developer", "system", "user", "assistant", "tool", "function"});
  const bool is_assistant = role == "assistant";
  chat::Value message = chat::Dict();
  message.set("role", role);
  if (const auto content = fields.take("content"))
    message.set("content", content_text(*content, fields.path("content")));
  else if (!is_assistant)
    refuse(fields.path("content"), error_code::kMissing, "required and not given");
  if (auto name = fields.text("name")) message.set("name", *std::move(name));
  if (role == "tool" || role == "function") {
    if (auto id = fields.text("tool_call_id")) message.set("tool_call_id", *std::move(id));
  }
  if (is_assistant) {
    read_tool_calls(fields, message);
    for (const char* name : {"reasoning_content", "reasoning", "thinking", "refusal"})
      if (auto text = fields.text(name)) message.set(name, *std::move(text));
    fields.ignore("annotations");  // of an answer that came back whole
    fields.refuse("audio", "audio is not supported");
    fields.refuse("function_call", "deprecated by OpenAI and not supported; tool_calls are");
    if (message.find("content") == nullptr) {
      if (message.find("tool_calls") == nullptr && message.find("refusal") == nullptr)
        refuse(fields.path("content"), error_code::kMissing, "required without tool_calls");
      message.set("content", "");
    }
  }
  fields.finish();
  return message;
}

chat::List read_messages(Fields& fields) {
  const std::string path = fields.path("messages");
  const std::vector<json::Value> elements = elements_of(fields.require("messages"), path);
  if (elements.empty() || elements.size() > kMessagesMax)
    refuse(path, error_code::kValue, "1 to {} messages expected, got {}", kMessagesMax,
           elements.size());
  chat::List messages;
  for (const json::Value& element : elements)
    messages.push_back(read_message(element, element_path(path, messages.size())));
  return messages;
}

chat::Value read_tools(Fields& fields) {
  const auto value = fields.take("tools");
  if (!value) return nullptr;
  const std::string path = fields.path("tools");
  chat::List tools;
  for (const json::Value& element : elements_of(*value, path)) {
    const std::string at = element_path(path, tools.size());
    Fields tool(element, at);
    const std::string type = text_of(tool.require("type"), tool.path("type"));
    if (type != "function")
      refuse(tool.path("type"), error_code::kUnsupported, "function is supported, got \"{}\"",
             printable(type));
    Fields function(tool.require("function"), tool.path("function"));
    function.require("name");
    function.text("name");
    tools.push_back(value_of(element, at));
  }
  return tools.empty() ? chat::Value() : chat::Value(std::move(tools));
}

// With "none" the model is not told of them.
void read_tool_choice(Fields& fields, chat::Value& tools) {
  if (!fields.boolean("parallel_tool_calls").value_or(true))
    refuse(fields.path("parallel_tool_calls"), error_code::kUnsupported,
           "calls are not told apart from text, so they cannot be kept to one");
  const auto value = fields.take("tool_choice");
  if (!value) return;
  const std::string path = fields.path("tool_choice");
  if (!value->is(json::Kind::string) ||
      (value->as_string(path) != "auto" && value->as_string(path) != "none"))
    refuse(path, error_code::kUnsupported, "none and auto are supported");
  if (value->as_string(path) == "none") tools = nullptr;
}

void read_log_probabilities(Fields& fields, ChatRequest& request) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto count = fields.integer("top_logprobs", 0, kTopLogProbabilitiesMax);
  if (count && !wanted)
    refuse(fields.path("top_logprobs"), error_code::kValue, "only with \"logprobs\": true");
  if (wanted) request.top_log_probabilities = count.value_or(0);
}

void read_max_tokens(Fields& fields, TextFields& text) {
  text.max_tokens = fields.integer("max_completion_tokens", 0, kTokensMax);
  const auto older = fields.integer("max_tokens", 0, kTokensMax);
  if (older && text.max_tokens && *older != *text.max_tokens)
    refuse(fields.path("max_tokens"), error_code::kValue,
           "another name of max_completion_tokens, of which one is expected");
  if (older) text.max_tokens = older;
}

void read_template_fields(Fields& fields, ChatRequest& request) {
  if (const auto value = fields.take("chat_template_kwargs")) {
    const std::string path = fields.path("chat_template_kwargs");
    if (!value->is(json::Kind::object))
      refuse(path, error_code::kType, "object expected, got {}", json::kind_name(value->kind()));
    request.template_options = *value_of(*value, path).dict();
  }
  if (auto effort = fields.choice("reasoning_effort",
                                  {"none", "minimal", "low", "medium", "high", "xhigh", "max"}))
    request.template_options.emplace_back("reasoning_effort", *std::move(effort));
  if (const auto value = fields.take("documents")) {
    elements_of(*value, fields.path("documents"));
    request.documents = value_of(*value, fields.path("documents"));
  }
  request.continue_final_message = fields.boolean("continue_final_message").value_or(false);
  const auto prompt = fields.boolean("add_generation_prompt");
  request.add_generation_prompt = prompt.value_or(!request.continue_final_message);
  if (request.add_generation_prompt && request.continue_final_message)
    refuse(fields.path("continue_final_message"), error_code::kValue,
           "not with \"add_generation_prompt\": true");
  fields.refuse("chat_template", "a template cannot come with a request");
}

// What OpenAI has and no model here can do, or what would store something.
void refuse_services(Fields& fields) {
  constexpr std::string_view kNoAudio = "only text is supported";
  fields.refuse("audio", kNoAudio);
  if (const auto value = fields.take("modalities")) {
    if (texts_of(*value, fields.path("modalities")) != std::vector<std::string>{"text"})
      refuse(fields.path("modalities"), error_code::kUnsupported, "{}", kNoAudio);
  }
  fields.refuse("function_call", "deprecated by OpenAI and not supported");
  fields.refuse("functions", "deprecated by OpenAI and not supported; tools are");
  fields.refuse("moderation", "there is no moderation");
  fields.refuse("prediction", "not supported");
  fields.refuse("web_search_options", "there is no search");
  if (fields.boolean("store").value_or(false))
    refuse(fields.path("store"), error_code::kUnsupported, "nothing is stored");
  if (const auto tier = fields.text("service_tier"); tier && *tier != "auto" && *tier != "default")
    refuse(fields.path("service_tier"), error_code::kUnsupported, "auto and default are supported");
  if (const auto level = fields.choice("verbosity", {"low", "medium", "high"});
      level && *level != "medium")
    refuse(fields.path("verbosity"), error_code::kUnsupported, "medium, the default, is supported");
  // Hints on whose cache an answer may use; they change no answer.
  for (const char* name :
       {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"})
    fields.ignore(name);
}

}  // namespace

ChatRequest read_chat_request(const json::Value& body) {
  Fields fields(body, "");
  ChatRequest request;
  request.text = read_text_fields(fields);
  request.messages = read_messages(fields);
  request.tools = read_tools(fields);
  read_tool_choice(fields, request.tools);
  read_max_tokens(fields, request.text);
  read_log_probabilities(fields, request);
  read_template_fields(fields, request);
  refuse_unsupported(fields);
  refuse_services(fields);
  fields.finish();
  return request;
}

}  // namespace bittern::serve::openai
