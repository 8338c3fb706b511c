// A parsed template: statements and expressions as plain trees, names as small numbers. Built by
// the parser, read by the interpreter, immutable between, so that threads share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bittern::chat::jinja {

using Symbol = uint32_t;  // index into Program::symbols

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

// Of a call, a filter or a test: (a, b, name=c, *d, **e).
struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr star, double_star;
};

enum class Operator : uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in
};

struct FilterRow;
struct TestRow;

// One node; which members mean something depends on the kind:
//   constant      literal
//   name          symbol
//   tuple, list   parts
//   dict          parts: key, value, key, value
//   conditional   parts: condition, then, else (null where there is none)
//   either, both  parts: left, right        (or, and)
//   negation      parts: operand            (not)
//   comparison    parts: n + 1 operands; operators: n
//   binary        parts: left, right; operators: 1
//   minus, plus   parts: operand
//   concatenation parts                     (~)
//   attribute     parts: object; name
//   item          parts: object, index
//   slice         parts: object, start, stop, step (each may be null)
//   call          parts: callee; arguments
//   filter        parts: value (null: the text of a filter block); name, filter, arguments
//   test          parts: value; name, test, arguments
struct Expression {
  enum class Kind : uint8_t {
    constant,
    name,
    tuple,
    list,
    dict,
    conditional,
    either,
    both,
    negation,
    comparison,
    binary,
    minus,
    plus,
    concatenation,
    attribute,
    item,
    slice,
    call,
    filter,
    test
  };
  Kind kind = Kind::constant;
  int line = 0;
  int height = 1;
  std::variant<std::nullptr_t, bool, int64_t, double, std::string> literal = nullptr;
  Symbol symbol = 0;
  std::string name;
  const FilterRow* filter = nullptr;  // null: no such filter, an error where it is reached
  const TestRow* test = nullptr;
  std::vector<Operator> operators;
  std::vector<ExpressionPtr> parts;
  ArgumentList arguments;
};

// What can be assigned to: a name, an attribute of a namespace, or a tuple of such.
struct Target {
  enum class Kind : uint8_t { name, attribute, tuple };
  Kind kind = Kind::name;
  Symbol symbol = 0;
  std::string attribute{};
  std::vector<Target> parts{};
};

struct Statement;
using Block = std::vector<Statement>;

// The parameters and body of a macro or of a call block, and which of the special names its body
// reads: only those are then accepted.
struct Signature {
  std::vector<std::string> names;
  std::vector<Symbol> symbols;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  bool reads_caller = false, reads_varargs = false, reads_kwargs = false;
};

// One statement; which members mean something depends on the kind:
//   text          text
//   print         expressions
//   loop          target, expressions: iterable, condition (may be null); body, otherwise
//   branch        branches: (condition, body) in order, null condition for else
//   set           target, expressions: value
//   set_block     target, expressions: filter (may be null), body
//   macro         symbol, name, signature, body
//   call          expressions: call, signature, body
//   filter        expressions: filter, body
//   with          targets, expressions: values, body
//   generation    body
//   leave, next   (break, continue)
struct Statement {
  enum class Kind : uint8_t {
    text,
    print,
    loop,
    branch,
    set,
    set_block,
    macro,
    call,
    filter,
    with,
    generation,
    leave,
    next
  };
  Kind kind = Kind::text;
  int line = 0;
  std::string text{};  // or the macro's name
  std::vector<ExpressionPtr> expressions{};
  std::vector<Target> targets{};
  std::vector<std::pair<ExpressionPtr, Block>> branches{};
  Block body{}, otherwise{};
  Signature signature{};
  Symbol symbol = 0;
  bool recursive = false;
  // Names that its scope hides from the start (scopes.h); of the body, and of a loop's else.
  std::vector<Symbol> hidden{}, hidden_otherwise{};
};

struct Program {
  std::string name;  // for errors
  std::vector<std::string> symbols;
  Block body;
  std::vector<Symbol> hidden;
};

}  // namespace bittern::chat::jinja
