// Expressions, in the order of binding of jinja2: if-else, or, and, not, comparison, + -, ~,
// * / // %, **, sign, then attributes, calls, filters and tests.
#include <algorithm>

#include "chat/jinja/parser_state.h"
#include "chat/jinja/tables.h"
#include "chat/limits.h"

namespace bittern::chat::jinja {

using Kind = Expression::Kind;

ExpressionPtr Parser::make(Kind kind, int line) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  return node;
}

ExpressionPtr Parser::make(Kind kind, int line, ExpressionPtr first, ExpressionPtr second) const {
  auto node = make(kind, line);
  node->parts.push_back(std::move(first));
  if (second != nullptr) node->parts.push_back(std::move(second));
  return finish(std::move(node));
}

ExpressionPtr Parser::finish(ExpressionPtr node) const {
  int below = 0;
  const auto consider = [&](const ExpressionPtr& part) {
    if (part != nullptr) below = std::max(below, part->height);
  };
  for (const ExpressionPtr& part : node->parts) consider(part);
  for (const ExpressionPtr& part : node->arguments.positional) consider(part);
  for (const auto& [name, part] : node->arguments.named) consider(part);
  consider(node->arguments.star);
  consider(node->arguments.double_star);
  node->height = below + 1;
  if (node->height > kExpressionHeightMax)
    fail_at(node->line, "an expression of more than {} operations in one another",
            kExpressionHeightMax);
  return node;
}

ExpressionPtr Parser::expression(bool with_conditional) {
  const Nested nested(*this);
  return with_conditional ? conditional() : either();
}

ExpressionPtr Parser::tuple(bool with_conditional, bool explicit_parentheses,
                            std::string_view end_name) {
  const int line = current().line;
  std::vector<ExpressionPtr> parts;
  bool is_tuple = false;
  const auto at_end = [&] {
    return current().kind == Token::Kind::variable_end ||
           current().kind == Token::Kind::block_end || current().is_op(")") ||
           (!end_name.empty() && current().is_name(end_name));
  };
  for (;;) {
    if (!parts.empty()) expect_op(",");
    if (at_end()) break;
    parts.push_back(expression(with_conditional));
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !parts.empty()) return std::move(parts[0]);
  if (!is_tuple && !explicit_parentheses)
    fail("an expression expected, got {}", describe(current()));
  auto node = make(Kind::tuple, line);
  node->parts = std::move(parts);
  return finish(std::move(node));
}

ExpressionPtr Parser::conditional() {
  const int line = current().line;
  const size_t unknown_before = unknown_.size();
  ExpressionPtr value = either();
  while (skip_name("if")) {
    auto node = make(Kind::conditional, line);
    node->parts.push_back(either());
    node->parts.push_back(std::move(value));
    if (skip_name("else")) {
      const Nested nested(*this);
      node->parts.push_back(conditional());
    } else {
      node->parts.push_back(nullptr);
    }
    value = finish(std::move(node));
    // As in the reference, an unknown filter in an inline if fails only where it is reached.
    unknown_.resize(unknown_before);
  }
  return value;
}

ExpressionPtr Parser::either() {
  const int line = current().line;
  ExpressionPtr left = both();
  while (skip_name("or")) left = make(Kind::either, line, std::move(left), both());
  return left;
}

ExpressionPtr Parser::both() {
  const int line = current().line;
  ExpressionPtr left = negation();
  while (skip_name("and")) left = make(Kind::both, line, std::move(left), negation());
  return left;
}

ExpressionPtr Parser::negation() {
  const int line = current().line;
  if (!skip_name("not")) return comparison();
  const Nested nested(*this);
  return make(Kind::negation, line, negation());
}

ExpressionPtr Parser::comparison() {
  constexpr std::pair<std::string_view, Operator> kOperators[] = {
      {"==", Operator::equal},      {"!=", Operator::not_equal}, {"<", Operator::less},
      {"<=", Operator::less_equal}, {">", Operator::greater},    {">=", Operator::greater_equal}};
  auto node = make(Kind::comparison, current().line);
  node->parts.push_back(sum());
  for (;;) {
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [&](const auto& row) { return current().is_op(row.first); });
    if (found != std::end(kOperators)) {
      next();
      node->operators.push_back(found->second);
    } else if (skip_name("in")) {
      node->operators.push_back(Operator::in);
    } else if (current().is_name("not") && ahead().is_name("in")) {
      next();
      next();
      node->operators.push_back(Operator::not_in);
    } else {
      break;
    }
    node->parts.push_back(sum());
  }
  if (node->operators.empty()) return std::move(node->parts[0]);
  return finish(std::move(node));
}

ExpressionPtr Parser::sum() {
  const int line = current().line;
  ExpressionPtr left = concatenation();
  while (current().is_op("+") || current().is_op("-")) {
    const Operator op = current().is_op("+") ? Operator::add : Operator::subtract;
    next();
    left = make(Kind::binary, line, std::move(left), concatenation());
    left->operators = {op};
  }
  return left;
}

ExpressionPtr Parser::concatenation() {
  auto node = make(Kind::concatenation, current().line);
  node->parts.push_back(product());
  while (skip_op("~")) node->parts.push_back(product());
  if (node->parts.size() == 1) return std::move(node->parts[0]);
  return finish(std::move(node));
}

ExpressionPtr Parser::product() {
  constexpr std::pair<std::string_view, Operator> kOperators[] = {{"*", Operator::multiply},
                                                                  {"/", Operator::divide},
                                                                  {"//", Operator::floor_divide},
                                                                  {"%", Operator::modulo}};
  const int line = current().line;
  ExpressionPtr left = power();
  for (;;) {
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [&](const auto& row) { return current().is_op(row.first); });
    if (found == std::end(kOperators)) return left;
    next();
    left = make(Kind::binary, line, std::move(left), power());
    left->operators = {found->second};
  }
}

// To the left, as jinja2 has it (Python binds it to the right).
ExpressionPtr Parser::power() {
  const int line = current().line;
  ExpressionPtr left = unary(true);
  while (skip_op("**")) {
    left = make(Kind::binary, line, std::move(left), unary(true));
    left->operators = {Operator::power};
  }
  return left;
}

ExpressionPtr Parser::unary(bool with_filter) {
  const int line = current().line;
  ExpressionPtr node;
  if (current().is_op("-") || current().is_op("+")) {
    const Nested nested(*this);
    const Kind kind = current().is_op("-") ? Kind::minus : Kind::plus;
    next();
    node = make(kind, line, unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters_and_tests(std::move(node)) : std::move(node);
}

ExpressionPtr Parser::primary() {
  const Token& token = current();
  auto node = make(Kind::constant, token.line);
  switch (token.kind) {
    case Token::Kind::name:
      if (token.text == "true" || token.text == "True") {
        node->literal = true;
      } else if (token.text == "false" || token.text == "False") {
        node->literal = false;
      } else if (token.text != "none" && token.text != "None") {
        node->kind = Kind::name;
        node->symbol = symbol(token.text);
        node->name = token.text;
        note_read(token.text);
      }
      next();
      return node;
    case Token::Kind::string: {
      std::string text;  // adjacent ones are one
      for (; current().kind == Token::Kind::string; next()) text += current().text;
      node->literal = std::move(text);
      return node;
    }
    case Token::Kind::integer:
      node->literal = token.integer;
      next();
      return node;
    case Token::Kind::floating:
      node->literal = token.floating;
      next();
      return node;
    case Token::Kind::op:
      if (skip_op("(")) {
        node = tuple(true, true);
        expect_op(")");
        return node;
      }
      if (token.is_op("[")) return list();
      if (token.is_op("{")) return dict();
      break;
    case Token::Kind::end:
    case Token::Kind::data:
    case Token::Kind::variable_begin:
    case Token::Kind::variable_end:
    case Token::Kind::block_begin:
    case Token::Kind::block_end:
      break;
  }
  fail("an expression expected, got {}", describe(current()));
}

ExpressionPtr Parser::list() {
  auto node = make(Kind::list, current().line);
  expect_op("[");
  while (!current().is_op("]")) {
    if (!node->parts.empty()) {
      expect_op(",");
      if (current().is_op("]")) break;
    }
    node->parts.push_back(expression());
  }
  expect_op("]");
  return finish(std::move(node));
}

ExpressionPtr Parser::dict() {
  auto node = make(Kind::dict, current().line);
  expect_op("{");
  while (!current().is_op("}")) {
    if (!node->parts.empty()) {
      expect_op(",");
      if (current().is_op("}")) break;
    }
    node->parts.push_back(expression());
    expect_op(":");
    node->parts.push_back(expression());
  }
  expect_op("}");
  return finish(std::move(node));
}

ExpressionPtr Parser::postfix(ExpressionPtr node) {
  for (;;) {
    if (current().is_op(".") || current().is_op("[")) {
      node = subscript(std::move(node));
    } else if (current().is_op("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr Parser::filters_and_tests(ExpressionPtr node) {
  for (;;) {
    if (current().is_op("|")) {
      node = filter(std::move(node), false);
    } else if (current().is_name("is")) {
      node = test(std::move(node));
    } else if (current().is_op("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExpressionPtr Parser::subscript(ExpressionPtr node) {
  const int line = current().line;
  if (skip_op("[")) return index(std::move(node), line);
  expect_op(".");
  if (current().kind == Token::Kind::name) {
    auto attribute = make(Kind::attribute, line, std::move(node));
    attribute->name = current().text;
    next();
    return attribute;
  }
  if (current().kind != Token::Kind::integer)
    fail("a name or a number expected after '.', got {}", describe(current()));
  auto number = make(Kind::constant, line);
  number->literal = current().integer;
  next();
  return make(Kind::item, line, std::move(node), std::move(number));
}

ExpressionPtr Parser::index(ExpressionPtr node, int line) {
  std::vector<ExpressionPtr> parts;  // of a tuple as index
  while (!current().is_op("]")) {
    if (!parts.empty()) expect_op(",");
    ExpressionPtr start;
    if (!current().is_op(":")) start = expression();
    if (!current().is_op(":")) {
      parts.push_back(std::move(start));
      continue;
    }
    if (!parts.empty()) fail("one slice expected between brackets");
    auto slice = make(Kind::slice, line);
    slice->parts.push_back(std::move(node));
    slice->parts.push_back(std::move(start));
    for (int i = 0; i < 2; ++i) {
      const bool given = skip_op(":") && !current().is_op("]") && !current().is_op(":");
      slice->parts.push_back(given ? expression() : nullptr);
    }
    expect_op("]");
    return finish(std::move(slice));
  }
  expect_op("]");
  if (parts.size() == 1) return make(Kind::item, line, std::move(node), std::move(parts[0]));
  auto several = make(Kind::tuple, line);
  several->parts = std::move(parts);
  return make(Kind::item, line, std::move(node), finish(std::move(several)));
}

void Parser::arguments(ArgumentList& out) {
  const int line = current().line;
  const auto require = [&](bool holds) {
    if (!holds) fail_at(line, "the arguments of a call are out of order");
  };
  expect_op("(");
  for (bool first = true; !current().is_op(")"); first = false) {
    if (!first) {
      expect_op(",");
      if (current().is_op(")")) break;
    }
    if (skip_op("*")) {
      require(out.star == nullptr && out.double_star == nullptr);
      out.star = expression();
    } else if (skip_op("**")) {
      require(out.double_star == nullptr);
      out.double_star = expression();
    } else if (current().kind == Token::Kind::name && ahead().is_op("=")) {
      require(out.double_star == nullptr);
      std::string name = current().text;
      next();
      next();
      out.named.emplace_back(std::move(name), expression());
    } else {
      require(out.star == nullptr && out.double_star == nullptr && out.named.empty());
      out.positional.push_back(expression());
    }
  }
  expect_op(")");
}

ExpressionPtr Parser::call(ExpressionPtr node) {
  auto call = make(Kind::call, current().line);
  call->parts.push_back(std::move(node));
  arguments(call->arguments);
  return finish(std::move(call));
}

std::string Parser::dotted_name(std::string_view what) {
  std::string name = any_name(what);
  while (skip_op(".")) name += fmt::format(".{}", any_name(what));
  return name;
}

// `value | name(...)`, any number of them; `first_is_due`: the "|" before the first is not there.
ExpressionPtr Parser::filter(ExpressionPtr node, bool first_is_due) {
  while (first_is_due || current().is_op("|")) {
    if (!first_is_due) next();
    first_is_due = false;
    auto filter = make(Kind::filter, current().line);
    filter->name = dotted_name("a filter's name");
    filter->filter = find_filter(filter->name);
    if (filter->filter == nullptr && !soft_)
      unknown_.push_back({filter->line, fmt::format("filter '{}'", filter->name)});
    filter->parts.push_back(std::move(node));
    if (current().is_op("(")) arguments(filter->arguments);
    node = finish(std::move(filter));
  }
  return node;
}

ExpressionPtr Parser::test(ExpressionPtr node) {
  expect_name("is");
  const int line = current().line;
  const bool negated = skip_name("not");
  auto test = make(Kind::test, line);
  test->parts.push_back(std::move(node));
  // An operator's sign is a test too, but only by name: `select("==", 1)`.
  test->name = dotted_name("a test's name");
  test->test = find_test(test->name);
  if (test->test == nullptr && !soft_)
    unknown_.push_back({line, fmt::format("test '{}'", test->name)});
  const Token& token = current();
  if (token.is_op("(")) {
    arguments(test->arguments);
  } else if ((token.kind == Token::Kind::name && token.text != "else" && token.text != "or" &&
              token.text != "and") ||
             token.kind == Token::Kind::string || token.kind == Token::Kind::integer ||
             token.kind == Token::Kind::floating || token.is_op("[") || token.is_op("{")) {
    if (token.is_name("is")) fail("tests cannot be chained with 'is'");
    const Nested nested(*this);
    test->arguments.positional.push_back(postfix(primary()));
  }
  ExpressionPtr result = finish(std::move(test));
  return negated ? make(Kind::negation, line, std::move(result)) : std::move(result);
}

}  // namespace bittern::chat::jinja
