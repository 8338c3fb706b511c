// Chat templates: a Jinja program turns a conversation into the text that a model reads. Parse
// once, render often, from any thread. Exact against jinja2 with transformers' settings
// (tests/oracles/test_chat_templates.py); what is left out fails by name. Templates are outside
// bytes: limits.h bounds what one can do.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/value.h"
#include "text/text_range.h"

namespace bittern::chat {

namespace jinja {
struct Program;
}

struct Rendered {
  std::string text;
  // Bytes that came from the caller's values rather than from the template: sorted, disjoint.
  // Given to the tokenizer (EncodeOptions::literal) they keep what a user typed from becoming a
  // special token.
  std::vector<text::TextRange> literal;
};

struct RenderOptions {
  // What the template's strftime_now sees; the moment of the call where null.
  const std::tm* now = nullptr;
};

class Template {
 public:
  // Throws bad_input with `name` and the line.
  static Template parse(std::string_view source, std::string name);

  // `variables`: names and what they stand for. Throws bad_input: what the template raises, a
  // use of values that Python would refuse, or a limit.
  Rendered render(const Dict& variables, const RenderOptions& options = {}) const;

  const std::string& source() const { return *source_; }

 private:
  std::shared_ptr<const jinja::Program> program_;
  std::shared_ptr<const std::string> source_;
};

}  // namespace bittern::chat
