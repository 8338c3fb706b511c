// The keywords that constrain one type of value (schema_sets.h). Each group narrows a set.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "chat/grammar/decimal.h"
#include "chat/grammar/formats.h"
#include "chat/grammar/limits.h"
#include "chat/grammar/nfa.h"
#include "chat/grammar/regex.h"
#include "chat/grammar/schema_sets.h"

namespace bittern::chat::grammar {
namespace {

Language shared(Automaton automaton) {
  return std::make_shared<const Automaton>(std::move(automaton));
}

// A count: an integer that is not negative (2.0 is one).
std::optional<int64_t> count_of(const JsonNode& schema, std::string_view keyword) {
  const JsonNode* node = schema.find(keyword);
  if (node == nullptr) return std::nullopt;
  if (!node->is(JsonNode::Kind::number)) malformed_schema(node->pointer, "a number expected");
  const Decimal value = decimal(node->text, node->pointer);
  int64_t count = 0;
  const auto end = value.whole.data() + value.whole.size();
  const auto [last, error] = std::from_chars(value.whole.data(), end, count);
  if (value.negative || !value.is_integer())
    malformed_schema(node->pointer, "an integer of at least 0 expected, got {}",
                     printable(node->text));
  if (error != std::errc() || last != end || count > int64_t{1} << 52)
    malformed_schema(node->pointer, "{} is more than 2^52, the limit", printable(node->text));
  return count;
}

std::optional<Decimal> number_of(const JsonNode& schema, std::string_view keyword) {
  const JsonNode* node = schema.find(keyword);
  if (node == nullptr) return std::nullopt;
  if (!node->is(JsonNode::Kind::number)) malformed_schema(node->pointer, "a number expected");
  return decimal(node->text, "JSON Schema: " + node->pointer);
}

const JsonNode* list_of(const JsonNode& schema, std::string_view keyword) {
  const JsonNode* node = schema.find(keyword);
  if (node != nullptr && !node->is(JsonNode::Kind::array))
    malformed_schema(node->pointer, "a list expected");
  return node;
}

const std::string& string_of(const JsonNode& node) {
  if (!node.is(JsonNode::Kind::string)) malformed_schema(node.pointer, "a string expected");
  return node.text;
}

void add_type(const JsonNode& type, ValueSet& set) {
  const std::string& name = string_of(type);
  if (name == "null") {
    set.null = true;
  } else if (name == "boolean") {
    set.yes = set.no = true;
  } else if (name == "number") {
    set_numbers(set, all_numbers());
  } else if (name == "integer") {
    if (!set.any_number) set_numbers(set, integer_values());
  } else if (name == "string") {
    set.texts = {TextPart{}};
  } else if (name == "array") {
    set.arrays = {ArrayShape{}};
  } else if (name == "object") {
    set.objects = {ObjectShape{}};
  } else {
    malformed_schema(type.pointer, "\"{}\" is no type", printable(name));
  }
}

Language language_of(const JsonNode& pattern, std::string_view expression) {
  Automaton made = regular_language(expression, Anchored::search,
                                    "JSON Schema: " + printable(pattern.pointer, 400));
  return made == any_text() ? nullptr : shared(std::move(made));
}

void evaluate(ObjectShape& shape, const Language& keys) {
  shape.evaluated = shape.nothing_evaluated ? keys : either(shape.evaluated, keys);
  shape.nothing_evaluated = false;
}

}  // namespace

ValueSet SchemaSets::constant(const JsonNode& value) {
  ValueSet set;
  switch (value.kind) {
    case JsonNode::Kind::null:
      set.null = true;
      break;
    case JsonNode::Kind::boolean:
      (value.boolean ? set.yes : set.no) = true;
      break;
    case JsonNode::Kind::number:
      set_numbers(set, equal_to(decimal(value.text, value.pointer)));
      break;
    case JsonNode::Kind::string:
      set.texts = {TextPart{.language = shared(minimised(literal(value.text)))}};
      break;
    case JsonNode::Kind::array: {
      ArrayShape shape{.rest = kNever, .min = std::ssize(value.items)};
      shape.max = shape.min;
      for (const JsonNode& item : value.items) shape.prefix.push_back(formulas_.constant(item));
      set.arrays.push_back(std::move(shape));
      break;
    }
    case JsonNode::Kind::object: {
      ObjectShape shape{.regions = {{nullptr, kNever}}};
      for (const auto& [key, member] : value.members)
        shape.named.push_back({key, formulas_.constant(member), true});
      set.objects.push_back(std::move(shape));
      break;
    }
  }
  return set;
}

// Many texts and numbers together in one automaton each.
ValueSet SchemaSets::enumeration(const JsonNode& list) {
  ValueSet set;
  Nfa texts, numbers;
  const int32_t text_start = texts.add_state(), text_end = texts.add_state();
  const int32_t number_start = numbers.add_state(), number_end = numbers.add_state();
  bool has_text = false, has_number = false;
  for (const JsonNode& value : list.items) {
    if (value.is(JsonNode::Kind::string)) {
      texts.on_text(text_start, value.text, text_end);
      has_text = true;
    } else if (value.is(JsonNode::Kind::number)) {
      numbers.on_language(number_start, equal_to(decimal(value.text, value.pointer)), number_end);
      has_number = true;
    } else {
      set = either(std::move(set), constant(value));
    }
  }
  if (has_text)
    set.texts = {TextPart{.language = shared(texts.deterministic(text_start, text_end))}};
  if (has_number) set_numbers(set, numbers.deterministic(number_start, number_end));
  return set;
}

void SchemaSets::apply_types(const Place& place, ValueSet& set) {
  if (const JsonNode* type = place.schema.find("type")) {
    ValueSet allowed;
    if (type->is(JsonNode::Kind::array)) {
      for (const JsonNode& each : type->items) add_type(each, allowed);
    } else {
      add_type(*type, allowed);
    }
    set = both(set, allowed);
  }
  if (const JsonNode* value = place.schema.find("const")) set = both(set, constant(*value));
  if (const JsonNode* list = list_of(place.schema, "enum")) set = both(set, enumeration(*list));
}

void SchemaSets::apply_numbers(const Place& place, ValueSet& set) {
  const auto keep = [&](const Automaton& allowed) {
    set_numbers(set, intersection(numbers_of(set), allowed));
  };
  if (const auto bound = number_of(place.schema, "minimum")) keep(above(*bound, true));
  if (const auto bound = number_of(place.schema, "exclusiveMinimum")) keep(above(*bound, false));
  if (const auto bound = number_of(place.schema, "maximum")) keep(below(*bound, true));
  if (const auto bound = number_of(place.schema, "exclusiveMaximum")) keep(below(*bound, false));
  if (const auto divisor = number_of(place.schema, "multipleOf")) {
    const std::string pointer = place.schema.pointer + "/multipleOf";
    if (divisor->negative || divisor->is_zero())
      malformed_schema(pointer, "a number above 0 expected");
    keep(multiples_of(*divisor, "JSON Schema: " + pointer));
  }
}

void SchemaSets::apply_texts(const Place& place, ValueSet& set) {
  const auto keep = [&](TextPart part) {
    set.texts = grammar::both(set.texts, Texts{std::move(part)});
  };
  if (const JsonNode* pattern = place.schema.find("pattern"))
    keep({.language = language_of(*pattern, string_of(*pattern))});
  if (const JsonNode* format = place.schema.find("format")) {
    const Format known = format_named(string_of(*format));
    if (known.language == nullptr)
      refuse(format->pointer, "the format \"{}\" is not supported", printable(format->text));
    keep({.language = known.language, .narrowed = known.narrowed ? format->pointer : ""});
  }
  const auto min = count_of(place.schema, "minLength"), max = count_of(place.schema, "maxLength");
  if (min || max) keep({.min = min.value_or(0), .max = max.value_or(-1)});
}

void SchemaSets::apply_arrays(const Place& place, ValueSet& set) {
  ArrayShape shape;
  if (const JsonNode* list = place.schema.find("prefixItems")) {
    for (const JsonNode& schema : list->items) shape.prefix.push_back(inner(place, schema));
    if (place.tracked) shape.evaluated = std::ssize(shape.prefix);
  }
  if (const JsonNode* schema = place.schema.find("items")) {
    shape.rest = inner(place, *schema);
    if (place.tracked) shape.evaluated = ArrayShape::kEverything;
  }
  shape.min = count_of(place.schema, "minItems").value_or(0);
  shape.max = count_of(place.schema, "maxItems").value_or(-1);
  const int64_t least = count_of(place.schema, "minContains").value_or(1);
  const int64_t most = count_of(place.schema, "maxContains").value_or(-1);
  if (const JsonNode* schema = place.schema.find("contains")) {
    const FormulaId item = inner(place, *schema);
    shape.counts.push_back({item, 0, least, most});
    if (place.tracked) shape.evaluated_by.push_back(item);
  }
  if (const JsonNode* unique = place.schema.find("uniqueItems")) {
    if (!unique->is(JsonNode::Kind::boolean))
      malformed_schema(unique->pointer, "a boolean expected");
    if (unique->boolean) shape.unique = unique->pointer;
  }
  set.arrays = both(set.arrays, std::vector{std::move(shape)});
}

void SchemaSets::apply_objects(const Place& place, ValueSet& set) {
  ObjectShape shape;
  apply_properties(place, shape);
  if (place.schema.find("minProperties") != nullptr) shape.at = place.schema.pointer;
  if (const JsonNode* list = list_of(place.schema, "required")) {
    for (const JsonNode& key : list->items) {
      const auto named = std::ranges::find(shape.named, string_of(key), &ObjectShape::Named::key);
      if (named != shape.named.end()) {
        named->required = true;
      } else {
        shape.named.push_back({key.text, shape.value_of(key.text), true});
      }
    }
  }
  shape.min = count_of(place.schema, "minProperties").value_or(0);
  shape.max = count_of(place.schema, "maxProperties").value_or(-1);
  set.objects = both(set.objects, std::vector{shape});
  if (const JsonNode* names = place.schema.find("propertyNames")) {
    const Texts texts = names_allowed(place, *names);
    const Language keys = as_language(texts);
    ObjectShape only;
    if (is_nothing(keys)) {
      only.regions = {{nullptr, kNever}};
    } else if (keys != nullptr) {
      only.regions = {{keys, kAny}, {without(nullptr, keys), kNever}};
      for (const TextPart& part : texts)
        if (!part.narrowed.empty()) refuse(part.narrowed, "this format in propertyNames");
    }
    set.objects = both(set.objects, std::vector{only});
  }
}

// A key is looked at like a value that is a string.
Texts SchemaSets::names_allowed(const Place& place, const JsonNode& names) {
  const int level = level_++;
  try {
    Texts texts = values(inner(place, names)).texts;
    level_ = level;
    return texts;
  } catch (const Undecided&) {
    refuse(names.pointer, "a schema of names that refers to the schema around it");
  }
}

// properties, patternProperties and additionalProperties. Regions start as everything, each pattern
// cuts them in two, and what no pattern has cut out is additional.
void SchemaSets::apply_properties(const Place& place, ObjectShape& shape) {
  Language additional = nullptr;  // keys that no pattern matches
  if (const JsonNode* patterns = place.schema.find("patternProperties")) {
    for (const auto& [pattern, schema] : patterns->members) {
      const Language keys = language_of(schema, pattern);
      std::vector<ObjectShape::Region> cut;
      for (const ObjectShape::Region& region : shape.regions) {
        const Language in = grammar::both(region.keys, keys), out = without(region.keys, keys);
        if (!is_nothing(in))
          cut.push_back({in, formulas_.both(region.value, inner(place, schema))});
        if (!is_nothing(out)) cut.push_back({out, region.value});
      }
      shape.regions = std::move(cut);
      additional = without(additional, keys);
      if (place.tracked) evaluate(shape, keys);
    }
  }
  std::vector<ObjectShape::Named> named;
  if (const JsonNode* properties = place.schema.find("properties")) {
    for (const auto& [key, schema] : properties->members) {
      named.push_back({key, formulas_.both(inner(place, schema), shape.value_of(key)), false});
      if (place.tracked) evaluate(shape, shared(minimised(literal(key))));
    }
  }
  if (const JsonNode* schema = place.schema.find("additionalProperties")) {
    for (ObjectShape::Region& region : shape.regions)
      if (!is_nothing(grammar::both(region.keys, additional))) region.value = inner(place, *schema);
    if (place.tracked) evaluate(shape, nullptr);
  }
  shape.named = std::move(named);
}

void SchemaSets::apply_dependencies(const Place& place, ValueSet& set) {
  const auto absent = [](const std::string& key) {
    return ObjectShape{.named = {{key, kNever, false}}};
  };
  const auto present = [](const std::string& key) {
    return ObjectShape{.named = {{key, kAny, true}}};
  };
  if (const JsonNode* map = place.schema.find("dependentRequired")) {
    if (!map->is(JsonNode::Kind::object)) malformed_schema(map->pointer, "an object expected");
    for (const auto& [key, list] : map->members) {
      if (!list.is(JsonNode::Kind::array)) malformed_schema(list.pointer, "a list expected");
      ObjectShape all = present(key);
      for (const JsonNode& other : list.items)
        if (all.find(string_of(other)) == nullptr) all.named.push_back({other.text, kAny, true});
      set.objects = both(set.objects, std::vector{absent(key), all});
    }
  }
  if (const JsonNode* map = place.schema.find("dependentSchemas")) {
    for (const auto& [key, schema] : map->members) {
      std::vector<ObjectShape> ways =
          both(values(inner(place, schema), place.tracked).objects, std::vector{present(key)});
      ways.push_back(absent(key));
      set.objects = both(set.objects, ways);
    }
  }
}

}  // namespace bittern::chat::grammar
