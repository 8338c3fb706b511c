#include "chat/template.h"

#include "chat/jinja/interpreter.h"
#include "chat/jinja/parser.h"

namespace bittern::chat {

Template Template::parse(std::string_view source, std::string name) {
  Template made;
  made.program_ = jinja::parse(source, std::move(name));
  made.source_ = std::make_shared<const std::string>(source);
  return made;
}

Rendered Template::render(const Dict& variables, const RenderOptions& options) const {
  std::tm now{};
  if (options.now != nullptr) {
    now = *options.now;
  } else {
    const std::time_t seconds = std::time(nullptr);
    localtime_r(&seconds, &now);
  }
  jinja::Interpreter interpreter(*program_, variables, now);
  jinja::TextBuilder built = interpreter.render();
  return {.text = std::move(built.bytes()), .literal = std::move(built.user())};
}

}  // namespace bittern::chat
