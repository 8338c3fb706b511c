// The tables of methods, one per kind of value; find_method (tables.h) looks in them.
#pragma once

#include <span>

#include "chat/jinja/tables.h"

namespace bittern::chat::jinja {

std::span<const MethodRow> string_methods();  // string_methods.cc
std::span<const MethodRow> list_methods();    // container_methods.cc
std::span<const MethodRow> tuple_methods();
std::span<const MethodRow> dict_methods();
std::span<const MethodRow> number_methods();

}  // namespace bittern::chat::jinja
