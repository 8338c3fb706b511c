#include "chat/grammar/schema_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "chat/grammar/limits.h"
#include "chat/grammar/uri.h"

namespace bittern::chat::grammar {
namespace {

// How a keyword's value holds schemas.
enum class Holds : uint8_t { nothing, schema, list, map };

struct Keyword {
  std::string_view name;
  Holds holds = Holds::nothing;
};

// Draft 2020-12, by vocabulary. Annotations restrict nothing. `definitions` is the older name of
// $defs; only references see it.
constexpr std::array kKeywords{
    // core
    Keyword{"$schema"},
    Keyword{"$id"},
    Keyword{"$ref"},
    Keyword{"$anchor"},
    Keyword{"$dynamicRef"},
    Keyword{"$dynamicAnchor"},
    Keyword{"$comment"},
    Keyword{"$defs", Holds::map},
    Keyword{"definitions", Holds::map},
    // applicators
    Keyword{"allOf", Holds::list},
    Keyword{"anyOf", Holds::list},
    Keyword{"oneOf", Holds::list},
    Keyword{"not", Holds::schema},
    Keyword{"if", Holds::schema},
    Keyword{"then", Holds::schema},
    Keyword{"else", Holds::schema},
    Keyword{"dependentSchemas", Holds::map},
    Keyword{"properties", Holds::map},
    Keyword{"patternProperties", Holds::map},
    Keyword{"additionalProperties", Holds::schema},
    Keyword{"propertyNames", Holds::schema},
    Keyword{"prefixItems", Holds::list},
    Keyword{"items", Holds::schema},
    Keyword{"contains", Holds::schema},
    Keyword{"unevaluatedProperties", Holds::schema},
    Keyword{"unevaluatedItems", Holds::schema},
    // validation
    Keyword{"type"},
    Keyword{"enum"},
    Keyword{"const"},
    Keyword{"multipleOf"},
    Keyword{"minimum"},
    Keyword{"maximum"},
    Keyword{"exclusiveMinimum"},
    Keyword{"exclusiveMaximum"},
    Keyword{"minLength"},
    Keyword{"maxLength"},
    Keyword{"pattern"},
    Keyword{"minItems"},
    Keyword{"maxItems"},
    Keyword{"uniqueItems"},
    Keyword{"minContains"},
    Keyword{"maxContains"},
    Keyword{"minProperties"},
    Keyword{"maxProperties"},
    Keyword{"required"},
    Keyword{"dependentRequired"},
    Keyword{"format"},
    // annotations
    Keyword{"title"},
    Keyword{"description"},
    Keyword{"default"},
    Keyword{"examples"},
    Keyword{"deprecated"},
    Keyword{"readOnly"},
    Keyword{"writeOnly"},
    Keyword{"contentEncoding"},
    Keyword{"contentMediaType"},
    Keyword{"contentSchema"},
};

// Dialects whose keywords, where this table has them, mean the same. What changed its meaning in
// between (lists under `items`, `dependencies`, ...) is refused by its form or its name; a $ref
// with neighbours, which draft 7 ignores, is looked at in visit().
constexpr std::array<std::string_view, 3> kDialects{"https://json-schema.org/draft/2020-12/schema",
                                                    "https://json-schema.org/draft/2019-09/schema",
                                                    "http://json-schema.org/draft-07/schema"};

const Keyword* find_keyword(std::string_view name) {
  const auto* found = std::ranges::find(kKeywords, name, &Keyword::name);
  return found == kKeywords.end() ? nullptr : found;
}

const std::string& string_of(const JsonNode& node) {
  if (!node.is(JsonNode::Kind::string)) malformed_schema(node.pointer, "a string expected");
  return node.text;
}

const JsonNode* at_pointer(const JsonNode& root, std::string_view pointer) {
  const JsonNode* at = &root;
  while (!pointer.empty() && at != nullptr) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::string token;
    for (size_t i = 1; i < end; ++i) {
      const bool escape = pointer[i] == '~' && i + 1 < end;
      token += !escape ? pointer[i] : pointer[++i] == '0' ? '~' : '/';
    }
    pointer.remove_prefix(end);
    if (at->is(JsonNode::Kind::array)) {
      size_t index = 0;
      const auto [last, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      const bool valid = error == std::errc() && last == token.data() + token.size();
      at = valid && index < at->items.size() ? &at->items[index] : nullptr;
    } else {
      at = at->find(token);
    }
  }
  return at;
}

}  // namespace

SchemaDocument::SchemaDocument(std::string_view text) : root_(read_json(text, "JSON Schema")) {
  resources_.push_back({"", root_.get(), {}, {}});
  if (const JsonNode* dialect = root_->find("$schema"))
    older_dialect_ = dialect->text.find("2020-12") == std::string::npos;
  visit(*root_, 0, 0);
  scopes_.emplace_back();
}

void SchemaDocument::visit(const JsonNode& schema, size_t resource, int depth) {
  if (depth > kSchemaDepthMax)
    malformed_schema(schema.pointer, "nested deeper than {}, the limit", kSchemaDepthMax);
  if (!schema.is(JsonNode::Kind::object) && !schema.is(JsonNode::Kind::boolean))
    malformed_schema(schema.pointer, "a schema (an object or a boolean) expected");
  resource = enter_resource(schema, resource);
  resource_of_[&schema] = resource;
  add_anchors(schema, resource);
  if (older_dialect_) refuse_changed_meaning(schema);
  for (const auto& [keyword, value] : schema.members)
    visit_keyword(keyword, value, resource, depth);
}

// Draft 7 ignores what stands beside $ref, and before 2020-12 `contains` evaluated nothing.
void SchemaDocument::refuse_changed_meaning(const JsonNode& schema) const {
  constexpr std::array<std::string_view, 9> kHarmless{"$ref",        "$schema",     "$comment",
                                                      "$defs",       "definitions", "title",
                                                      "description", "default",     "examples"};
  const JsonNode* reference = schema.find("$ref");
  for (const auto& [keyword, value] : schema.members) {
    const bool harmless = std::ranges::find(kHarmless, keyword) != kHarmless.end();
    if (reference != nullptr && !harmless)
      refuse(value.pointer,
             "beside $ref it is read differently by different drafts; name draft "
             "2020-12 in $schema, or put it into allOf");
    if (keyword.starts_with("unevaluated"))
      refuse(value.pointer, "it needs $schema to be draft 2020-12");
  }
}

void SchemaDocument::visit_keyword(const std::string& keyword, const JsonNode& value,
                                   size_t resource, int depth) {
  const Keyword* known = find_keyword(keyword);
  if (known == nullptr) {
    if (keyword.starts_with("x-")) return;
    refuse(value.pointer, "the keyword \"{}\" is not supported", printable(keyword));
  }
  if (keyword == "$schema") {
    std::string_view dialect = string_of(value);
    if (dialect.ends_with('#')) dialect.remove_suffix(1);
    if (std::ranges::find(kDialects, dialect) == kDialects.end())
      refuse(value.pointer, "the dialect \"{}\" is not supported", printable(dialect));
  }
  has_dynamic_references_ = has_dynamic_references_ || keyword == "$dynamicRef";
  switch (known->holds) {
    case Holds::nothing:
      return;
    case Holds::schema:
      visit(value, resource, depth + 1);
      return;
    case Holds::list:
      if (!value.is(JsonNode::Kind::array) || value.items.empty())
        malformed_schema(value.pointer, "a list of schemas, not empty, expected");
      for (const JsonNode& item : value.items) visit(item, resource, depth + 1);
      return;
    case Holds::map:
      if (!value.is(JsonNode::Kind::object))
        malformed_schema(value.pointer, "an object of schemas expected");
      for (const auto& member : value.members) visit(member.second, resource, depth + 1);
      return;
  }
}

size_t SchemaDocument::enter_resource(const JsonNode& schema, size_t outer) {
  const JsonNode* id = schema.find("$id");
  if (id == nullptr) return outer;
  const UriReference uri = resolved_uri(resources_[outer].uri, string_of(*id));
  if (!uri.fragment.empty()) malformed_schema(id->pointer, "a fragment in $id");
  if (&schema == root_.get()) {
    resources_[0].uri = uri.absolute;
    return 0;
  }
  for (const Resource& other : resources_)
    if (other.uri == uri.absolute)
      malformed_schema(id->pointer, "\"{}\" names two schemas", printable(uri.absolute));
  resources_.push_back({uri.absolute, &schema, {}, {}});
  return resources_.size() - 1;
}

void SchemaDocument::add_anchors(const JsonNode& schema, size_t resource) {
  for (const std::string_view keyword : {"$anchor", "$dynamicAnchor"}) {
    const JsonNode* anchor = schema.find(keyword);
    if (anchor == nullptr) continue;
    Resource& own = resources_[resource];
    if (!own.anchors.emplace(string_of(*anchor), &schema).second)
      malformed_schema(anchor->pointer, "\"{}\" names two schemas", printable(anchor->text));
    if (keyword == "$dynamicAnchor") own.dynamic_anchors.emplace(anchor->text, &schema);
  }
}

const JsonNode& SchemaDocument::resolve(const JsonNode& from, const JsonNode& reference,
                                        const Resource** resource, std::string* anchor) const {
  const UriReference uri =
      resolved_uri(resources_[resource_of_.at(&from)].uri, string_of(reference));
  const auto found = std::ranges::find(resources_, uri.absolute, &Resource::uri);
  if (found == resources_.end())
    refuse(reference.pointer, "\"{}\" is not in this document", printable(reference.text));
  *resource = &*found;
  const JsonNode* node = nullptr;
  if (uri.fragment.empty() || uri.fragment[0] == '/') {
    node = at_pointer(*found->root, uri.fragment);
  } else {
    const auto named = found->anchors.find(uri.fragment);
    if (named != found->anchors.end()) node = named->second;
    *anchor = uri.fragment;
  }
  if (node == nullptr)
    malformed_schema(reference.pointer, "\"{}\" leads nowhere", printable(reference.text));
  if (!resource_of_.contains(node))
    refuse(reference.pointer, "\"{}\" leads to what is no schema", printable(reference.text));
  return *node;
}

const JsonNode& SchemaDocument::target(const JsonNode& from, const JsonNode& reference) const {
  const Resource* resource = nullptr;
  std::string anchor;
  return resolve(from, reference, &resource, &anchor);
}

const JsonNode& SchemaDocument::dynamic_target(const JsonNode& from, const JsonNode& reference,
                                               int32_t scope) const {
  const Resource* resource = nullptr;
  std::string anchor;
  const JsonNode& fixed = resolve(from, reference, &resource, &anchor);
  if (!resource->dynamic_anchors.contains(anchor)) return fixed;
  const auto found = scopes_[static_cast<size_t>(scope)].find(anchor);
  return found == scopes_[static_cast<size_t>(scope)].end() ? fixed : *found->second;
}

int32_t SchemaDocument::entered(const JsonNode& schema, int32_t scope) {
  if (!has_dynamic_references_) return 0;
  Scope inner = scopes_[static_cast<size_t>(scope)];
  // The outermost meaning of a name stays.
  for (const auto& [name, node] : resources_[resource_of_.at(&schema)].dynamic_anchors)
    inner.emplace(name, node);
  const auto at = std::ranges::find(scopes_, inner) - scopes_.begin();
  if (at == std::ssize(scopes_)) scopes_.push_back(std::move(inner));
  return static_cast<int32_t>(at);
}

}  // namespace bittern::chat::grammar
