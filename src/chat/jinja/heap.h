// Where a render's values live, and the accounts of what it may still do. Every allocation and
// every step is charged here, before it happens.
#pragma once

#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "chat/jinja/object.h"
#include "chat/limits.h"
#include "chat/value.h"

namespace bittern::chat::jinja {

class Heap {
 public:
  // `name` is what errors begin with.
  explicit Heap(std::string name) : name_(std::move(name)) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // Throws bad_input: "NAME: line N: ...". `line` is kept by the interpreter.
  [[noreturn]] void fail(std::string_view what) const;
  int line = 0;

  // One step, and one more per 64 bytes to be copied.
  void charge(size_t bytes = 0) {
    steps_ += 1 + static_cast<int64_t>(bytes / 64);
    if (steps_ > kStepsMax) too_many_steps();
  }
  // What is being evaluated inside what; throws where that is too deep.
  struct Nested {
    explicit Nested(Heap& heap) : heap_(heap) {
      if (++heap.depth_ > kRunDepthMax) {
        --heap.depth_;
        heap.too_deep();
      }
    }
    ~Nested() { --heap_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    Heap& heap_;
  };

  // An object that lives as long as the heap. Its destructor is not run, so what it owns must
  // come from memory() too.
  template <typename T, typename... Args>
  T* make(Args&&... args) {
    return std::construct_at(static_cast<T*>(allocate(sizeof(T), alignof(T))),
                             std::forward<Args>(args)...);
  }
  std::pmr::memory_resource* memory() { return &charged_; }

  Scope* scope(Scope* parent);

  // Texts. A literal that outlives the render needs no copy.
  const Str* text(std::string_view bytes, bool user);
  const Str* literal(std::string_view bytes);
  const Str* text(TextBuilder&& builder);
  const Str* slice(const Str& text, size_t begin, size_t end);  // bytes
  const Str* with_markup(const Str& text, bool markup);

  Object string(std::string_view bytes, bool user = false) { return of(text(bytes, user)); }
  Object list(const std::vector<Object>& items) { return sequence(Type::list, items); }
  Object tuple(const std::vector<Object>& items) { return sequence(Type::tuple, items); }
  Object sequence(Type type, std::span<const Object> items, bool is_group = false);
  // Later entries replace the value of earlier ones with an equal key.
  Object dict(const std::vector<Entry>& entries);
  // `held`: bytes that the function keeps for itself.
  Object iterator(std::function<std::vector<Object>()> fill, size_t held = 0);
  Object callable(std::string_view name, Function function, const Object& self = none());
  std::span<const Object> copy(std::span<const Object> items);

  // A caller's value, whose texts must outlive the render.
  Object from(const Value& value);

  // What is under a key, or null. A key that cannot be hashed is an error.
  const Object* find(const Mapping& mapping, const Object& key);
  const Object* find(const Mapping& mapping, std::string_view key);

 private:
  // Charges what the resource behind it hands out.
  class Charged : public std::pmr::memory_resource {
   public:
    explicit Charged(Heap& heap) : heap_(heap) {}

   private:
    void* do_allocate(size_t bytes, size_t alignment) override {
      return heap_.allocate(bytes, alignment);
    }
    void do_deallocate(void*, size_t, size_t) override {}
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
      return this == &other;
    }
    Heap& heap_;
  };

  void account(size_t bytes);
  void* allocate(size_t bytes, size_t alignment);
  [[noreturn]] void too_many_steps() const;
  [[noreturn]] void too_deep() const;
  uint64_t hash(const Object& key) const;
  const Entry* find_entry(const Mapping& mapping, const Object& key);
  std::string_view copy_bytes(std::string_view bytes);
  static int depth_of(const Object& value);
  Object from_list(const List& list);
  Object from_dict(const Dict& dict);

  std::string name_;
  std::pmr::monotonic_buffer_resource arena_;
  Charged charged_{*this};
  std::vector<std::unique_ptr<std::function<std::vector<Object>()>>> fills_;
  size_t bytes_ = 0;
  int64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace bittern::chat::jinja
