// Which variables a scope hides from the start. jinja2 decides at compile time where a name
// lives: one that a template, loop or macro first assigns (before it reads it, and not only in a
// branch of an `if`) is its own from its beginning, so what runs before the assignment (an inner
// loop, a macro called early) finds it undefined even where the caller gave a variable of that
// name. Source: jinja2 3.1.6, "idtracking".
#pragma once

#include "chat/jinja/ast.h"

namespace bittern::chat::jinja {

// Fills Program::hidden and the `hidden` of every statement with a scope of its own.
void find_hidden(Program& program);

}  // namespace bittern::chat::jinja
