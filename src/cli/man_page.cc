// roff with the man macros (man(7)): every word from the declarations is escaped, so that a
// leading dot or a backslash is text.
#include "cli/man_page.h"

#include <fmt/format.h>

#include "base/environment.h"
#include "cli/command.h"

namespace bittern::cli {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c == '"') {
      result += "\\(dq";
    } else {
      result += c;
    }
  }
  if (result.starts_with('.') || result.starts_with('\'')) result.insert(0, "\\&");
  return result;
}

std::string flag_names(const FlagSpec& flag) {
  std::string text;
  std::string_view rest = flag.names;
  while (true) {
    const size_t comma = rest.find(',');
    text += fmt::format("{}\\fB{}\\fR", text.empty() ? "" : ", ", escaped(rest.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (!flag.value_name.empty()) text += fmt::format(" \\fI{}\\fR", escaped(flag.value_name));
  return text;
}

std::string verb_section(const Verb& verb) {
  const DeclaredVerb declared(verb);
  const Flags& flags = *declared.flags;
  std::string text = fmt::format(".SS \"bittern {}", verb.name);
  for (const Flags::Argument& argument : flags.declared_arguments()) {
    const std::string name = argument.name + (argument.repeated ? "..." : "");
    text += argument.required ? " " + name : fmt::format(" [{}]", name);
  }
  text += fmt::format("\"\n{}\n", escaped(flags.summary()));
  for (const Flags::Argument& argument : flags.declared_arguments())
    text += fmt::format(".TP\n\\fI{}\\fR\n{}\n", escaped(argument.name), escaped(argument.help));
  for (const FlagSpec& flag : flags.declared_flags())
    text += fmt::format(".TP\n{}\n{}\n", flag_names(flag), escaped(flag.help));
  for (const std::string& note : flags.notes()) text += fmt::format(".PP\n{}\n", escaped(note));
  return text;
}

}  // namespace

std::string man_page() {
  std::string text = fmt::format(
      ".\\\" Made by: bittern help --man\n"
      ".TH BITTERN 1 \"\" \"bittern {}\" \"User Commands\"\n"
      ".SH NAME\n"
      "bittern \\- run and measure low\\-bit language models on the CPU\n"
      ".SH SYNOPSIS\n"
      ".B bittern\n"
      ".I VERB\n"
      ".RI [ arguments ]\n"
      ".RI [ flags ]\n"
      ".SH DESCRIPTION\n"
      "Bittern opens GGUF and SafeTensors files and Hugging Face folders as they are, and runs "
      "the models in them on the processor. The result goes to standard output, everything else "
      "to standard error.\n"
      ".PP\n"
      "A MODEL is a path, or the name of a model that\n"
      ".B bittern pull\n"
      "has brought here.\n"
      ".SH VERBS\n",
      BITTERN_VERSION);
  for (const Verb& verb : verbs()) text += verb_section(verb);
  text += ".SH ENVIRONMENT\n";
  for (const environment::Row& row : environment::table())
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", escaped(row.name), escaped(row.meaning));
  return text +
         ".SH EXIT STATUS\n"
         ".TP\n.B 0\ndone\n"
         ".TP\n.B 1\nthe work ran and the answer is no\n"
         ".TP\n.B 2\nwrong usage\n"
         ".TP\n.B 3\nbad input\n"
         ".TP\n.B 4\nnot enough resources, or no way to reach a server\n"
         ".TP\n.B 5\nnot supported here\n"
         ".TP\n.B 70\na bug in Bittern\n"
         ".TP\n.B 130\ninterrupted\n"
         ".SH FILES\n"
         ".TP\n.I ~/.local/share/bittern\n"
         "pulled models, where the environment does not say otherwise\n";
}

}  // namespace bittern::cli
