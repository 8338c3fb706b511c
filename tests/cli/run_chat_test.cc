// bittern run on models with a chat template: the example model with one put in.
#include <gtest/gtest.h>

#include "cli/program_support.h"
#include "temporary_folder.h"

namespace bittern::test {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if loud %}LOUD {% endif %}{% if add_generation_prompt %}[assistant]{% endif %}";

JsonBuilder run_json(Words words) {
  for (const char* word : {"-n", "2", "--temp", "0", "--json"}) words.emplace_back(word);
  words.insert(words.begin(), "run");
  return json_of(run_program(words));
}

std::string with_template(const TemporaryFolder& folder, const std::string& text) {
  return changed_model(folder, "tokenizer.chat_template", format::value_of(text));
}

TEST(RunChat, TemplateOfTheModel) {
  const TemporaryFolder folder;
  const std::string model = with_template(folder, kTemplate);
  const JsonBuilder plain = run_json({model, "Hi"});
  EXPECT_TRUE(plain["prompt"].get<std::string>().ends_with("[user] Hi\n[assistant]"))
      << plain["prompt"];
  const JsonBuilder more =
      run_json({model, "Hi", "--system", "Be kind.", "--template-kwargs", "{\"loud\": true}"});
  EXPECT_NE(
      more["prompt"].get<std::string>().find("[system] Be kind.\n[user] Hi\nLOUD [assistant]"),
      std::string::npos)
      << more["prompt"];
  EXPECT_EQ(run_json({model, "Hi", "--raw"})["prompt"], "Hi");
  EXPECT_EQ(run_json({model, "Hi", "--raw"})["prompt_ids"],
            run_json({example_model(), "Hi"})["prompt_ids"]);
  // The template writes the first token itself; none is added.
  EXPECT_EQ(run_json({with_template(folder, "Hi"), "x"})["prompt_ids"],
            run_json({with_template(folder, "{{ messages[0].content }}"), "Hi"})["prompt_ids"]);
}

TEST(RunChat, TemplateFromAFile) {
  const TemporaryFolder folder;
  const std::string file = folder.write("t.jinja", "<{{ messages[-1].content }}>").string();
  EXPECT_EQ(run_json({example_model(), "Hi", "--chat-template", file})["prompt"], "<Hi>");
  EXPECT_EQ(run_json({with_template(folder, kTemplate), "Hi", "--chat-template", file})["prompt"],
            "<Hi>");
}

TEST(RunChat, ModelWithoutTemplate) {
  const Finished finished =
      run_program({"run", example_model(), "Hi", "-n", "1", "--temp", "0", "--verbose"});
  EXPECT_NE(finished.err.find("no chat template"), std::string::npos) << finished.err;
}

TEST(RunChat, MistakesInOneLine) {
  const TemporaryFolder folder, broken_folder, strict_folder;
  const std::string model = with_template(folder, kTemplate);
  const std::string broken = with_template(broken_folder, "{% if %}");
  const std::string strict =
      with_template(strict_folder, "{{ raise_exception('only tools') }}");
  const struct {
    Words words;
    int status;
    const char* part;
  } cases[] = {
      {{"run", example_model(), "x", "--system", "y"},
       2,
       "--system: the model has no chat template"},
      {{"run", example_model(), "x", "--raw", "--system", "y"}, 2, "--system: not with --raw"},
      {{"run", model, "x", "--template-kwargs", "[1]"}, 2, "a JSON object expected"},
      {{"run", model, "x", "--template-kwargs", "{"}, 3, "--template-kwargs"},
      {{"run", model, "x", "--sytem", "y"}, 2, "--system"},
      {{"run", model, "x", "--chat-template", "/none"}, 3, "/none"},
      {{"run", broken, "x"}, 3, "chat template: line 1: an expression expected"},
      {{"run", strict, "x"}, 3, "only tools"},
  };
  for (const auto& [words, status, part] : cases) {
    const Finished finished = run_program(words);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
  }
}

}  // namespace
}  // namespace bittern::test
