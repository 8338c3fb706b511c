// A JSON Schema document: which places in it are schemas, what $id, $anchor and $dynamicAnchor name
// them, and what a reference leads to. The table of keywords says what is known; a keyword that is
// not in it is an error with its JSON pointer.
//
// References stay inside the document. $dynamicRef depends on the resources that were entered on
// the way; such a dynamic scope is kept as a number: what each dynamic anchor means there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "chat/grammar/schema_json.h"

namespace bittern::chat::grammar {

class SchemaDocument {
 public:
  // Throws Error{bad_input} where malformed, Error{unsupported} for an unknown keyword or dialect.
  explicit SchemaDocument(std::string_view text);

  const JsonNode& root() const { return *root_; }
  // The schema that `$ref: reference` inside `from` means.
  const JsonNode& target(const JsonNode& from, const JsonNode& reference) const;
  // The same for $dynamicRef, in a dynamic scope.
  const JsonNode& dynamic_target(const JsonNode& from, const JsonNode& reference,
                                 int32_t scope) const;
  // The scope inside a schema that is entered from `scope`.
  int32_t entered(const JsonNode& schema, int32_t scope);

 private:
  struct Resource {
    std::string uri;
    const JsonNode* root;
    std::map<std::string, const JsonNode*> anchors;
    std::map<std::string, const JsonNode*> dynamic_anchors;
  };
  using Scope = std::map<std::string, const JsonNode*>;

  void visit(const JsonNode& schema, size_t resource, int depth);
  void refuse_changed_meaning(const JsonNode& schema) const;
  void visit_keyword(const std::string& keyword, const JsonNode& value, size_t resource, int depth);
  size_t enter_resource(const JsonNode& schema, size_t outer);
  void add_anchors(const JsonNode& schema, size_t resource);
  const JsonNode& resolve(const JsonNode& from, const JsonNode& reference,
                          const Resource** resource, std::string* anchor) const;

  std::unique_ptr<JsonNode> root_;
  std::vector<Resource> resources_;
  std::unordered_map<const JsonNode*, size_t> resource_of_;  // of every schema
  std::vector<Scope> scopes_;
  bool has_dynamic_references_ = false;
  bool older_dialect_ = false;
};

// The error for what is understood but cannot be honoured.
template <typename... Args>
[[noreturn]] void refuse(const std::string& pointer, fmt::format_string<Args...> text,
                         Args&&... args) {
  fail(ErrorKind::unsupported, "JSON Schema: {}: {}",
       printable(pointer.empty() ? "(root)" : pointer, 400),
       fmt::format(text, std::forward<Args>(args)...));
}
// The error for what is not a schema.
template <typename... Args>
[[noreturn]] void malformed_schema(const std::string& pointer, fmt::format_string<Args...> text,
                                   Args&&... args) {
  bad_input("JSON Schema: {}: {}", printable(pointer.empty() ? "(root)" : pointer, 400),
            fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace bittern::chat::grammar
