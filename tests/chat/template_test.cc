// What the reference cannot say: whose bytes are whose, limits, messages, threads.
#include "chat/template.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "chat/conversation.h"
#include "throws.h"

namespace bittern::test {
namespace {

using chat::Dict;
using chat::List;
using chat::Rendered;
using chat::Template;
using chat::Value;

Rendered rendered(std::string_view source, const Dict& variables = {}) {
  return Template::parse(source, "t").render(variables);
}

// The text with what the user wrote in [brackets].
std::string marked(std::string_view source, const Dict& variables) {
  const Rendered result = rendered(source, variables);
  std::string text;
  size_t end = 0;
  for (const text::TextRange& range : result.literal) {
    text += result.text.substr(end, range.begin - end);
    text += fmt::format("[{}]", result.text.substr(range.begin, range.end - range.begin));
    end = range.end;
  }
  return text + result.text.substr(end);
}

std::string error_of(std::string_view source, const Dict& variables = {}) {
  try {
    rendered(source, variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    return error.message();
  }
  return "";
}

template <typename Body>
void expect_error(const Body& body, std::string_view part) {
  const auto thrown = thrown_by([&] { body(); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_NE(thrown->message.find(part), std::string::npos) << thrown->message;
}

const Dict kUser = {{"u", "Hi you"},
                    {"list", List{"a", "b"}},
                    {"d", Dict{{"key", "value"}}},
                    {"bos", Value::trusted_text("<s>")}};

TEST(ChatOrigin, CopiesKeepTheirMarks) {
  EXPECT_EQ(marked("{{ bos }}<|u|>{{ u }}<|e|>", kUser), "<s><|u|>[Hi you]<|e|>");
  EXPECT_EQ(marked("{{ '<' + u + '>' ~ u }}", kUser), "<[Hi you]>[Hi you]");
  EXPECT_EQ(marked("{{ ('<' ~ u ~ '>')[1:4] }}", kUser), "[Hi ]");
  EXPECT_EQ(marked("{{ ('<' ~ u ~ '>')[::-1] }}", kUser), ">[uoy iH]<");
  EXPECT_EQ(marked("{{ ('x' + u)|upper }}{{ u.split(' ')|join('|') }}", kUser),
            "X[HI YOUHi]|[you]");
  EXPECT_EQ(marked("{{ ('a-' ~ u)|replace('i', '+')|replace('-', u) }}", kUser),
            "a[Hi youH]+[ you]");
  EXPECT_EQ(marked("{{ d|tojson }}{{ d }}", kUser), "{\"[key]\": \"[value]\"}{'[key]': '[value]'}");
  EXPECT_EQ(marked("{{ '%s|%3s' % (u, 'b') }}{{ '{}-{}'.format(u, 1) }}", kUser),
            "[Hi you]|  b[Hi you]-1");
  EXPECT_EQ(marked("{% set x %}<{{ u }}>{% endset %}{{ x|trim }}{% macro m(a) %}({{ a }})"
                   "{% endmacro %}{{ m(u) }}{{ m('u') }}",
                   kUser),
            "<[Hi you]>([Hi you])(u)");
  EXPECT_EQ(marked("{% for c in 'x' ~ list[0] %}{{ c }}.{% endfor %}{{ list|join }}", kUser),
            "x.[a].[ab]");
  EXPECT_EQ(
      marked("{{ u|length }}{{ u * 2 }}{{ u|indent }}{{ u|title }}{{ u.center(8, '*') }}", kUser),
      "6[Hi youHi youHi youHi You]*[Hi you]*");
  EXPECT_EQ(
      marked("{% set ns = namespace(t='') %}{% for x in list %}{% set ns.t = ns.t + x + '/' %}"
             "{% endfor %}{{ ns.t }}",
             kUser),
      "[a]/[b]/");
  EXPECT_EQ(marked("{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(**d) }}", kUser),
            "{'[key]': '[value]'}");
}

TEST(ChatOrigin, RolesAndSpecialTokensAreTheTemplates) {
  chat::Conversation conversation;
  conversation.messages = {chat::message("user", "a<|end|>"), chat::message("narrator", "b")};
  conversation.special_tokens = {{"bos_token", "<s>"}};
  const auto parsed = Template::parse(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
      "t");
  const Rendered result = chat::render(parsed, conversation);
  EXPECT_EQ(result.text, "<s><|user|>a<|end|><|end|><|narrator|>b<|end|>");
  ASSERT_EQ(result.literal.size(), 3u);  // both contents, and the role nobody knows
  EXPECT_EQ(result.literal[0].begin, 11u);
  EXPECT_EQ(result.literal[0].end, 19u);
  EXPECT_EQ(result.text.substr(result.literal[1].begin, 8), "narrator");
}

TEST(ChatConversation, ContinuesTheFinalMessage) {
  const auto parsed = Template::parse(
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}",
      "t");
  const auto trimming = Template::parse(
      "{% for m in messages %}<{{ m.role }}>{{ m.content|trim }}</s>{% endfor %}", "t");
  chat::Conversation conversation;
  conversation.messages = {chat::message("user", "q"), chat::message("assistant", "The answer ")};
  EXPECT_EQ(chat::render(parsed, conversation).text,
            "<user>q</s><assistant>The answer </s><assistant>");
  conversation.continue_final = "content";
  const Rendered open = chat::render(parsed, conversation);
  EXPECT_EQ(open.text, "<user>q</s><assistant>The answer ");
  EXPECT_EQ(open.literal.back().end, open.text.size());
  EXPECT_EQ(chat::render(trimming, conversation).text, "<user>q</s><assistant>The answer");
  conversation.messages.back() =
      Dict{{"role", "assistant"}, {"content", List{Dict{{"text", "part"}}}}};
  const auto parts = Template::parse(
      "{% for m in messages %}{% for p in m.content %}{{ p.text }}!{% endfor %}{% endfor %}", "t");
  EXPECT_EQ(chat::render(parts, conversation).text, "!part");
  conversation.messages.back() = Dict{{"role", "assistant"}};
  expect_error([&] { chat::render(parsed, conversation); }, "'content' to continue");
  conversation.messages.clear();
  expect_error([&] { chat::render(parsed, conversation); }, "no messages");
}

TEST(ChatConversation, ReasoningHasEachOfItsNames) {
  const auto parsed = Template::parse("{{ messages[0] }}", "t");
  chat::Conversation conversation;
  conversation.messages = {Dict{{"role", "assistant"}, {"reasoning", "r"}}};
  EXPECT_EQ(chat::render(parsed, conversation).text,
            "{'thinking': 'r', 'role': 'assistant', 'reasoning': 'r', 'reasoning_content': 'r'}");
  conversation.messages = {Value(1)};
  expect_error([&] { chat::render(parsed, conversation); }, "dictionary");
}

TEST(ChatLimits, HostileTemplatesEndInOneLine) {
  const std::string deep(5000, '('), lists(5000, '['), nots = [] {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "not ";
    return text;
  }();
  std::string sum = "1", minus, ifs, filters = "1", attributes = "a", conditionals;
  for (int i = 0; i < 5000; ++i) {
    sum += "+1";
    minus += "-";
    ifs += "{% if 1 %}";
    filters += "|string";
    attributes += ".a";
    conditionals += "1 if 0 else ";
  }
  for (const std::string& source :
       {deep, lists, nots, sum, minus + "1", filters, attributes, conditionals + "1"})
    EXPECT_NE(error_of(fmt::format("{{{{ {} }}}}", source)), "") << source.substr(0, 20);
  EXPECT_NE(error_of(ifs), "");
  const std::pair<const char*, const char*> cases[] = {
      {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps"},
      {"{{ 'x' * 999999999 }}", "repetition"},
      {"{{ [1] * 999999999 }}", "repetition"},
      {"{{ range(100001) }}", "range"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "too deep"},
      {"{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "nested"},
      {"{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
       "{% endfor %}",
       "MiB"},
      {"{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% endfor %}{{ ns.x }}",
       "more than"},
      {"{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}"
       "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
       "steps"},
      {"{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "too deep"},
      {"{{ 'a'.ljust(99999999) }}", "MiB"},
      {"{{ '%999999d' % 1 }}", "width"},
      {"{{ '{:999999}'.format(1) }}", "width"},
      {"{{ 9223372036854775807 + 1 }}", "64 bits"},
      {"{{ 99999999999999999999 }}", "2^63"},
      {"{{ [1, 2]|slice(99999999)|list }}", "more than"},
      {"{% set a = 'a' * 9999999 %}{% set b = 'a' * 4999999 ~ 'b' %}{% for i in range(99) %}"
       "{{ b in a }}{{ a.find(b) }}{{ a.rfind('b' ~ b) }}{{ a.split(b)|length }}{% endfor %}",
       "steps"},
      {"{% set l = range(100000)|list %}{% for i in range(9999) %}{% set x = l|reverse %}{% endfor "
       "%}",
       "more than"},
      {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "too deep"},
      {"{{ 'a'|replace('', 'b' * 9999999)|replace('', 'b' * 9999999) }}", "MiB"},
  };
  for (const auto& [source, expected] : cases) {
    const std::string error = error_of(source);
    EXPECT_NE(error.find(expected), std::string::npos) << source << "\n" << error;
    EXPECT_LT(error.size(), 500u);
  }
}

TEST(ChatErrors, NameTemplateAndLine) {
  EXPECT_EQ(error_of("a\n{% if %}"), "t: line 2: an expression expected, got '%}'");
  EXPECT_EQ(error_of("\n\n{{ raise_exception('no\nsystem') }}"), "t: line 3: no\\x0asystem");
  EXPECT_EQ(error_of("{% for x in y %}\n"),
            "t: line 1: {% endfor %} expected, got the template's end");
  EXPECT_EQ(error_of("{{ 'a }}"), "t: line 1: the string has no end");
  EXPECT_EQ(error_of("x{# y"), "t: line 1: the comment has no end");
  EXPECT_EQ(error_of("{{ a.b }}"), "t: line 1: a is undefined");
  EXPECT_EQ(error_of("{{ '\xff' }}"), "t: UTF-8 expected");
  for (const char* tag : {"include 'x'", "import 'x' as y", "from 'x' import y", "extends 'x'",
                          "block x", "autoescape true", "do x", "trans"}) {
    const std::string error = error_of(fmt::format("{{% {} %}}", tag));
    EXPECT_NE(error.find("is not supported in a chat template"), std::string::npos) << error;
  }
  for (const char* name :
       {"filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"})
    EXPECT_NE(error_of(fmt::format("{{{{ 'x'|{} }}}}", name)).find("not supported"),
              std::string::npos);
  EXPECT_NE(error_of("{{ lipsum() }}").find("not supported"), std::string::npos);
}

TEST(ChatTemplate, OneServesManyThreads) {
  const auto parsed = Template::parse(
      "{% macro m(x) %}{{ x * 2 }}{% endmacro %}{% for i in range(n) %}{{ m(i) }},{% endfor %}",
      "t");
  std::vector<std::string> texts(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < texts.size(); ++i)
    threads.emplace_back([&, i] {
      texts[i] = parsed.render({{"n", static_cast<int64_t>(i)}}).text;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(texts[3], "0,2,4,");
  EXPECT_EQ(texts[7], "0,2,4,6,8,10,12,");
}

TEST(ChatValue, OfJsonAndMembers) {
  const auto document = json::Document::parse(
      R"({"a": [1, 2.5, true, null, "x"], "a": 2, "b": {"c": -9223372036854775808}})", "j");
  Value value = Value::from_json(document->root());
  EXPECT_EQ(std::get<int64_t>(value.find("a")->storage()), 2);
  EXPECT_EQ(value.find("missing"), nullptr);
  value.set("z", "end");
  EXPECT_EQ(rendered("{{ v }}", {{"v", value}}).text,
            "{'a': 2, 'b': {'c': -9223372036854775808}, 'z': 'end'}");
  const auto large = json::Document::parse("[18446744073709551615]", "j");
  expect_error([&] { Value::from_json(large->root()); }, "2^63");
}

}  // namespace
}  // namespace bittern::test
