// What each script offers: the verbs after the program's name; after a verb its flags where the
// word begins with "-", else names of models (bittern list --names) and files. The scripts know the
// verbs of this version; nothing is asked of the program but the names of models.
#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"

namespace bittern::cli {
namespace {

std::vector<std::string> names_of(const FlagSpec& flag) {
  std::vector<std::string> names;
  std::string_view rest = flag.names;
  while (true) {
    const size_t comma = rest.find(',');
    names.emplace_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) return names;
    rest.remove_prefix(comma + 1);
  }
}

void append(std::string& list, std::string_view word, char separator) {
  if (!list.empty()) list += separator;
  list += word;
}

// A text inside single quotes of a POSIX shell.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// A text inside one of zsh's single-quoted specifications, in which some characters mean more.
std::string zsh_text(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c == '[' || c == ']' || c == ':' || c == '\\') {
      result += '\\';
      result += c;
    } else {
      result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
  return result;
}

bool takes_model(const Flags& flags) {
  return std::any_of(
      flags.declared_arguments().begin(), flags.declared_arguments().end(),
      [](const Flags::Argument& argument) { return argument.name.starts_with("MODEL"); });
}

// What `bittern list` is asked for the names that a verb takes; empty where it takes none.
std::string_view names_for(std::string_view verb, const Flags& flags) {
  if (verb == "pull") return "list --available --names";
  return takes_model(flags) || verb == "rm" ? "list --names" : "";
}

std::string bash_case(const Verb& verb) {
  const DeclaredVerb declared(verb);
  std::string flags, with_value;
  for (const FlagSpec& flag : declared.flags->declared_flags())
    for (const std::string& name : names_of(flag)) {
      append(flags, name, ' ');
      if (!flag.value_name.empty()) append(with_value, name, '|');
    }
  std::string text = fmt::format("    {})\n      flags={}\n", verb.name, quoted(flags));
  if (verb.name == "completion") text += "      words='bash zsh fish'\n";
  if (verb.name == "help") text += "      words=$verbs\n";
  const std::string_view names = names_for(verb.name, *declared.flags);
  if (!names.empty()) text += fmt::format("      names={}\n", quoted(names));
  if (!with_value.empty())
    text += fmt::format(
        "      case $previous in\n"
        "        {}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
        "      esac\n",
        with_value);
  return text + "      ;;\n";
}

std::string bash_script() {
  std::string names, cases;
  for (const Verb& verb : verbs()) {
    append(names, verb.name, ' ');
    cases += bash_case(verb);
  }
  return fmt::format(
      "# bash completion for bittern; made by: bittern completion bash\n"
      "_bittern() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}\n"
      "  local flags='' words='' names='' verbs={}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n{}  esac\n"
      "  case $word in\n"
      "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n"
      "    *)\n"
      "      [ -z \"$names\" ] || words=$(bittern $names 2>/dev/null)\n"
      "      COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\")) ;;\n"
      "  esac\n"
      "}}\n"
      "complete -o filenames -F _bittern bittern\n",
      quoted(names), cases);
}

std::string zsh_flags(const Flags& flags) {
  std::string text;
  for (const FlagSpec& flag : flags.declared_flags()) {
    const std::string value =
        flag.value_name.empty() ? "" : fmt::format(":{}:_files", zsh_text(flag.value_name));
    for (const std::string& name : names_of(flag))
      text += fmt::format(" \\\n        '{}[{}]{}'", name, zsh_text(flag.help), value);
  }
  return text;
}

std::string zsh_script() {
  std::string descriptions, cases;
  for (const Verb& verb : verbs()) {
    descriptions += fmt::format("    '{}:{}'\n", verb.name, zsh_text(verb.summary));
    const DeclaredVerb declared(verb);
    std::string words = "_files";
    if (takes_model(*declared.flags)) words = "_bittern_models";
    if (verb.name == "rm") words = "_bittern_installed";
    if (verb.name == "pull") words = "_bittern_available";
    if (verb.name == "completion") words = "(bash zsh fish)";
    if (verb.name == "help") words = "_bittern_verbs";
    cases += fmt::format("      {})\n        _arguments{} \\\n          '*:argument:{}' ;;\n",
                         verb.name, zsh_flags(*declared.flags), words);
  }
  return fmt::format(
      "#compdef bittern\n"
      "# zsh completion for bittern; made by: bittern completion zsh\n"
      "_bittern_verbs() {{\n"
      "  local -a verbs=(\n{}  )\n"
      "  _describe verb verbs\n"
      "}}\n"
      "_bittern_installed() {{ compadd -- ${{(f)\"$(bittern list --names 2>/dev/null)\"}} }}\n"
      "_bittern_available() {{ compadd -- ${{(f)\"$(bittern list --available --names "
      "2>/dev/null)\"}} }}\n"
      "_bittern_models() {{ _bittern_installed; _files }}\n"
      "_bittern() {{\n"
      "  local state\n"
      "  _arguments -C '1:verb:_bittern_verbs' '*::argument:->rest'\n"
      "  if [[ $state == rest ]]; then\n"
      "    case $words[1] in\n{}"
      "    esac\n"
      "  fi\n"
      "}}\n"
      "_bittern \"$@\"\n",
      descriptions, cases);
}

std::string fish_flags(std::string_view verb, const Flags& flags) {
  std::string text;
  for (const FlagSpec& flag : flags.declared_flags()) {
    std::string line = fmt::format("complete -c bittern -n '__fish_seen_subcommand_from {}'", verb);
    for (const std::string& name : names_of(flag))
      line += name.starts_with("--") ? " -l " + name.substr(2)
                                     : (name.size() > 2 ? " -o " : " -s ") + name.substr(1);
    if (!flag.value_name.empty()) line += " -r";
    text += fmt::format("{} -d {}\n", line, quoted(flag.help));
  }
  return text;
}

std::string fish_script() {
  std::string text =
      "# fish completion for bittern; made by: bittern completion fish\n"
      "complete -c bittern -e\n";
  std::string flags;
  for (const Verb& verb : verbs()) {
    text += fmt::format("complete -c bittern -f -n __fish_use_subcommand -a {} -d {}\n", verb.name,
                        quoted(verb.summary));
    const DeclaredVerb declared(verb);
    flags += fish_flags(verb.name, *declared.flags);
    const std::string_view names = names_for(verb.name, *declared.flags);
    std::string words;
    if (!names.empty()) words = fmt::format("(bittern {} 2>/dev/null)", names);
    if (verb.name == "completion") words = "bash zsh fish";
    if (!words.empty())
      flags += fmt::format("complete -c bittern -n '__fish_seen_subcommand_from {}' -a {}\n",
                           verb.name, quoted(words));
  }
  return text + flags;
}

constexpr CompletionShell kShells[] = {
    {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

}  // namespace

std::span<const CompletionShell> completion_shells() { return kShells; }

}  // namespace bittern::cli
