#include "chat/jinja/parser.h"

#include <algorithm>

#include "base/utf8.h"
#include "chat/jinja/parser_state.h"
#include "chat/jinja/scopes.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {

Parser::Nested::Nested(Parser& parser) : parser_(parser) {
  if (++parser_.depth_ > kParseDepthMax) {
    --parser_.depth_;
    parser_.fail("more than {} statements and brackets in one another", kParseDepthMax);
  }
}

Parser::Parser(std::vector<Token> tokens, std::string name)
    : tokens_(std::move(tokens)), program_(std::make_unique<Program>()) {
  program_->name = std::move(name);
}

std::unique_ptr<const Program> Parser::run() {
  program_->body = block_until({});
  if (!unknown_.empty()) fail_at(unknown_[0].line, "there is no {}", printable(unknown_[0].what));
  find_hidden(*program_);
  return std::move(program_);
}

// ---- tokens ----

bool Parser::skip_op(std::string_view op) {
  if (!current().is_op(op)) return false;
  next();
  return true;
}
bool Parser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  next();
  return true;
}
void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail("'{}' expected, got {}", op, describe(current()));
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail("'{}' expected, got {}", name, describe(current()));
}
void Parser::expect(Token::Kind kind, std::string_view what) {
  if (current().kind != kind) fail("{} expected, got {}", what, describe(current()));
  next();
}
std::string Parser::any_name(std::string_view what) {
  if (current().kind != Token::Kind::name) fail("{} expected, got {}", what, describe(current()));
  std::string name = current().text;
  next();
  return name;
}

std::string Parser::describe(const Token& token) const {
  switch (token.kind) {
    case Token::Kind::end:
      return "the template's end";
    case Token::Kind::data:
      return "text";
    case Token::Kind::variable_begin:
      return "'{{'";
    case Token::Kind::variable_end:
      return "'}}'";
    case Token::Kind::block_begin:
      return "'{%'";
    case Token::Kind::block_end:
      return "'%}'";
    case Token::Kind::integer:
      return fmt::format("{}", token.integer);
    case Token::Kind::floating:
      return fmt::format("{}", token.floating);
    case Token::Kind::string:
      return fmt::format("the text '{}'", printable(token.text, 30));
    case Token::Kind::name:
    case Token::Kind::op:
      return fmt::format("'{}'", printable(token.text, 30));
  }
  return "";
}

Symbol Parser::symbol(std::string_view name) {
  if (const auto found = symbols_.find(name); found != symbols_.end()) return found->second;
  const auto number = static_cast<Symbol>(program_->symbols.size());
  program_->symbols.emplace_back(name);
  symbols_.emplace(std::string(name), number);
  return number;
}

namespace {
int special_index(std::string_view name) {
  constexpr std::string_view kNames[] = {"caller", "varargs", "kwargs"};
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  return found == std::end(kNames) ? -1 : static_cast<int>(found - kNames);
}
}  // namespace

void Parser::note_read(std::string_view name) {
  const int index = special_index(name);
  if (index < 0) return;
  for (size_t i = 0; i < specials_.size(); ++i)
    if (!stores_[i].read[index]) specials_[i].read[index] = true;
}
void Parser::note_store(std::string_view name) {
  const int index = special_index(name);
  if (index < 0) return;
  for (SpecialReads& stores : stores_) stores.read[index] = true;
}

// ---- statements ----

// Statements and text up to a tag of one of the names, which stays current (behind its "{%"), or
// up to the template's end where none are given.
Block Parser::block_until(std::initializer_list<std::string_view> ends) {
  const Nested nested(*this);
  Block block;
  for (;;) {
    const Token& token = current();
    switch (token.kind) {
      case Token::Kind::end:
        if (ends.size() > 0) fail("{{% {} %}} expected, got the template's end", *(ends.end() - 1));
        return block;
      case Token::Kind::data: {
        Statement text{.kind = Statement::Kind::text, .line = token.line, .text = token.text};
        block.push_back(std::move(text));
        next();
        break;
      }
      case Token::Kind::variable_begin: {
        Statement print{.kind = Statement::Kind::print, .line = token.line};
        next();
        print.expressions.push_back(tuple(true, false));
        expect(Token::Kind::variable_end, "'}}'");
        block.push_back(std::move(print));
        break;
      }
      case Token::Kind::block_begin: {
        next();
        const bool ended = current().kind == Token::Kind::name &&
                           std::find(ends.begin(), ends.end(), current().text) != ends.end();
        if (ended) return block;
        block.push_back(statement());
        expect(Token::Kind::block_end, "'%}'");
        break;
      }
      default:
        fail("text or a tag expected, got {}", describe(token));
    }
  }
}

// From the end of a statement's opening tag.
Block Parser::body_until(std::initializer_list<std::string_view> ends) {
  skip_op(":");
  expect(Token::Kind::block_end, "'%}'");
  return block_until(ends);
}

Statement Parser::statement() {
  const std::string tag = current().kind == Token::Kind::name ? current().text : "";
  struct Row {
    std::string_view tag;
    Statement (Parser::*parse)();
  };
  constexpr Row kRows[] = {
      {"set", &Parser::set_statement},    {"for", &Parser::loop_statement},
      {"if", &Parser::branch_statement},  {"macro", &Parser::macro_statement},
      {"call", &Parser::call_statement},  {"filter", &Parser::filter_statement},
      {"with", &Parser::with_statement},  {"generation", &Parser::generation_statement},
      {"print", &Parser::print_statement}};
  for (const Row& row : kRows)
    if (tag == row.tag) return (this->*row.parse)();
  if (tag == "break") return jump_statement(Statement::Kind::leave);
  if (tag == "continue") return jump_statement(Statement::Kind::next);
  for (const std::string_view refused :
       {"include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug"})
    if (tag == refused) fail("the tag '{}' is not supported in a chat template", tag);
  fail("a tag expected, got {}", describe(current()));
}

Target Parser::name_target(std::string name, int line) {
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"})
    if (name == constant) fail_at(line, "{} cannot be assigned to", name);
  if (name == "loop" && enclosing_for_ > 0)
    fail_at(line, "'loop' cannot be assigned to inside a loop");
  note_store(name);
  return {.kind = Target::Kind::name, .symbol = symbol(name), .attribute = {}, .parts = {}};
}

Target Parser::single_target(bool with_namespace) {
  const Nested nested(*this);
  const int line = current().line;
  if (skip_op("(")) {
    Target tuple{.kind = Target::Kind::tuple};
    bool comma = false;
    while (!current().is_op(")")) {
      if (!tuple.parts.empty()) {
        expect_op(",");
        comma = true;
        if (current().is_op(")")) break;
      }
      tuple.parts.push_back(single_target(false));
    }
    expect_op(")");
    if (tuple.parts.size() == 1 && !comma) return std::move(tuple.parts[0]);
    return tuple;
  }
  std::string name = any_name("a name to assign to");
  if (with_namespace && skip_op(".")) {
    note_read(name);
    return {.kind = Target::Kind::attribute,
            .symbol = symbol(name),
            .attribute = any_name("an attribute's name"),
            .parts = {}};
  }
  return name_target(std::move(name), line);
}

// One target, or several with commas between up to "in", "=" or the tag's end.
Target Parser::target(bool with_namespace) {
  Target first = single_target(with_namespace);
  if (!current().is_op(",")) return first;
  Target tuple{.kind = Target::Kind::tuple};
  tuple.parts.push_back(std::move(first));
  while (skip_op(",")) {
    if (current().is_name("in") || current().kind == Token::Kind::block_end) break;
    tuple.parts.push_back(single_target(with_namespace));
  }
  return tuple;
}

Statement Parser::set_statement() {
  Statement set{.kind = Statement::Kind::set, .line = current().line};
  next();
  set.targets.push_back(target(true));
  if (skip_op("=")) {
    set.expressions.push_back(tuple(true, false));
    return set;
  }
  set.kind = Statement::Kind::set_block;
  const bool soft = std::exchange(soft_, false);
  set.expressions.push_back(current().is_op("|") ? filter(nullptr, false) : nullptr);
  set.body = body_until({"endset"});
  expect_name("endset");
  soft_ = soft;
  return set;
}

Statement Parser::loop_statement() {
  Statement loop{.kind = Statement::Kind::loop, .line = current().line};
  next();
  ++enclosing_for_;
  loop.targets.push_back(target(false));
  expect_name("in");
  loop.expressions.push_back(tuple(false, false, "recursive"));
  const bool soft = std::exchange(soft_, false);
  loop.expressions.push_back(skip_name("if") ? expression() : nullptr);
  loop.recursive = skip_name("recursive");
  ++loops_;
  loop.body = body_until({"else", "endfor"});
  --loops_;
  if (skip_name("else")) loop.otherwise = body_until({"endfor"});
  expect_name("endfor");
  --enclosing_for_;
  soft_ = soft;
  return loop;
}

Statement Parser::branch_statement() {
  Statement branch{.kind = Statement::Kind::branch, .line = current().line};
  const bool soft = std::exchange(soft_, true);
  next();
  for (bool open = true; open;) {
    ExpressionPtr condition = tuple(false, false);
    Block body = body_until({"elif", "else", "endif"});
    branch.branches.emplace_back(std::move(condition), std::move(body));
    if (skip_name("elif")) continue;
    if (skip_name("else")) branch.branches.emplace_back(nullptr, body_until({"endif"}));
    expect_name("endif");
    open = false;
  }
  soft_ = soft;
  return branch;
}

void Parser::signature(Signature& out) {
  expect_op("(");
  while (!current().is_op(")")) {
    if (!out.names.empty()) expect_op(",");
    const int line = current().line;
    const Target parameter = name_target(any_name("a parameter's name"), line);
    out.names.push_back(program_->symbols[parameter.symbol]);
    out.symbols.push_back(parameter.symbol);
    if (skip_op("=")) {
      out.defaults.push_back(expression());
    } else if (!out.defaults.empty()) {
      fail("a default expected, as the parameters before have them");
    }
  }
  expect_op(")");
}

Statement Parser::macro_statement() {
  Statement macro{.kind = Statement::Kind::macro, .line = current().line};
  next();
  const int line = current().line;
  macro.text = any_name("a macro's name");
  macro.symbol = name_target(macro.text, line).symbol;
  const bool soft = std::exchange(soft_, false);
  const int loops = std::exchange(loops_, 0);
  signature(macro.signature);
  specials_.emplace_back();
  stores_.emplace_back();
  macro.body = body_until({"endmacro"});
  expect_name("endmacro");
  macro.signature.reads_caller = specials_.back().read[0];
  macro.signature.reads_varargs = specials_.back().read[1];
  macro.signature.reads_kwargs = specials_.back().read[2];
  specials_.pop_back();
  stores_.pop_back();
  loops_ = loops;
  soft_ = soft;
  return macro;
}

Statement Parser::call_statement() {
  Statement call{.kind = Statement::Kind::call, .line = current().line};
  next();
  if (current().is_op("(")) signature(call.signature);
  call.expressions.push_back(expression());
  if (call.expressions[0]->kind != Expression::Kind::call)
    fail_at(call.line, "a call expected after '{{% call'");
  const bool soft = std::exchange(soft_, false);
  const int loops = std::exchange(loops_, 0);
  specials_.emplace_back();
  stores_.emplace_back();
  call.body = body_until({"endcall"});
  expect_name("endcall");
  call.signature.reads_caller = specials_.back().read[0];
  call.signature.reads_varargs = specials_.back().read[1];
  call.signature.reads_kwargs = specials_.back().read[2];
  specials_.pop_back();
  stores_.pop_back();
  loops_ = loops;
  soft_ = soft;
  return call;
}

Statement Parser::filter_statement() {
  Statement block{.kind = Statement::Kind::filter, .line = current().line};
  next();
  const bool soft = std::exchange(soft_, false);
  block.expressions.push_back(filter(nullptr, true));
  block.body = body_until({"endfilter"});
  expect_name("endfilter");
  soft_ = soft;
  return block;
}

Statement Parser::with_statement() {
  Statement with{.kind = Statement::Kind::with, .line = current().line};
  next();
  while (current().kind != Token::Kind::block_end) {
    if (!with.targets.empty()) expect_op(",");
    with.targets.push_back(target(false));
    expect_op("=");
    with.expressions.push_back(expression());
  }
  const bool soft = std::exchange(soft_, false);
  with.body = body_until({"endwith"});
  expect_name("endwith");
  soft_ = soft;
  return with;
}

// transformers' marker of what an assistant wrote; transparent when rendering.
Statement Parser::generation_statement() {
  Statement generation{.kind = Statement::Kind::generation, .line = current().line};
  next();
  const bool soft = std::exchange(soft_, false);
  const int loops = std::exchange(loops_, 0);
  generation.body = body_until({"endgeneration"});
  expect_name("endgeneration");
  loops_ = loops;
  soft_ = soft;
  return generation;
}

Statement Parser::print_statement() {
  Statement print{.kind = Statement::Kind::print, .line = current().line};
  next();
  while (current().kind != Token::Kind::block_end) {
    if (!print.expressions.empty()) expect_op(",");
    print.expressions.push_back(expression());
  }
  return print;
}

Statement Parser::jump_statement(Statement::Kind kind) {
  if (loops_ == 0) fail("'{}' outside of a loop", current().text);
  Statement jump{.kind = kind, .line = current().line};
  next();
  return jump;
}

std::unique_ptr<const Program> parse(std::string_view source, std::string name) {
  if (source.size() > kSourceBytesMax)
    bad_input("{}: at most {} bytes expected, got {}", name, kSourceBytesMax, source.size());
  if (!utf8::is_valid(source)) bad_input("{}: UTF-8 expected", name);
  std::vector<Token> tokens = tokenize(source, name);
  return Parser(std::move(tokens), std::move(name)).run();
}

}  // namespace bittern::chat::jinja
