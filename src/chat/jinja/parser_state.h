// What the two halves of the parser share: the tokens, the symbols, and the bounds on nesting.
// Expressions are in expression_parser.cc, statements in parser.cc.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/jinja/ast.h"
#include "chat/jinja/lexer.h"

namespace bittern::chat::jinja {

// Names that a macro or a loop offers only where its body reads them.
enum class SpecialName : uint8_t { caller, varargs, kwargs };
struct SpecialReads {
  bool read[3] = {false, false, false};
};

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::string name);

  std::unique_ptr<const Program> run();

 private:
  // ---- tokens ----
  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  void next() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect_name(std::string_view name);
  void expect(Token::Kind kind, std::string_view what);
  std::string any_name(std::string_view what);
  std::string describe(const Token& token) const;

  template <typename... Args>
  [[noreturn]] void fail_at(int line, fmt::format_string<Args...> text, Args&&... args) const {
    bad_input("{}: line {}: {}", program_->name, line,
              fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    fail_at(current().line, text, std::forward<Args>(args)...);
  }

  // Counts what is open; throws where that is too much.
  struct Nested {
    explicit Nested(Parser& parser);
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    Parser& parser_;
  };

  Symbol symbol(std::string_view name);
  // Notes that `name` is read (or, from there on, assigned) for the macros it lies in.
  void note_read(std::string_view name);
  void note_store(std::string_view name);

  // ---- statements (parser.cc) ----
  Block block_until(std::initializer_list<std::string_view> ends);
  Block body_until(std::initializer_list<std::string_view> ends);
  Statement statement();
  Statement set_statement();
  Statement loop_statement();
  Statement branch_statement();
  Statement macro_statement();
  Statement call_statement();
  Statement filter_statement();
  Statement with_statement();
  Statement generation_statement();
  Statement print_statement();
  Statement jump_statement(Statement::Kind kind);
  void signature(Signature& out);
  Target target(bool with_namespace);
  Target single_target(bool with_namespace);
  Target as_target(const Expression& expression) const;
  Target name_target(std::string name, int line);

  // ---- expressions (expression_parser.cc) ----
  ExpressionPtr make(Expression::Kind kind, int line) const;
  ExpressionPtr make(Expression::Kind kind, int line, ExpressionPtr first,
                     ExpressionPtr second = nullptr) const;
  // Sets the height of a finished node and holds it to the bound.
  ExpressionPtr finish(ExpressionPtr node) const;
  ExpressionPtr expression(bool with_conditional = true);
  ExpressionPtr tuple(bool with_conditional, bool explicit_parentheses,
                      std::string_view end_name = {});
  ExpressionPtr conditional();
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filter);
  ExpressionPtr primary();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr filters_and_tests(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr index(ExpressionPtr node, int line);
  ExpressionPtr call(ExpressionPtr node);
  ExpressionPtr filter(ExpressionPtr node, bool first_is_due);
  ExpressionPtr test(ExpressionPtr node);
  void arguments(ArgumentList& out);
  std::string dotted_name(std::string_view what);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  std::unique_ptr<Program> program_;
  std::map<std::string, Symbol, std::less<>> symbols_;
  int loops_ = 0;          // open around the current place, in the same macro
  int enclosing_for_ = 0;  // open at all: `loop` must not be assigned there
  bool soft_ = false;      // inside an `if`: an unknown filter is an error only where it is reached
  struct Unknown {
    int line;
    std::string what;
  };
  std::vector<Unknown> unknown_;        // filters and tests that nothing is called like
  std::vector<SpecialReads> specials_;  // of the open macros and call blocks
  std::vector<SpecialReads> stores_;    // likewise: assigned before being read
};

}  // namespace bittern::chat::jinja
