// A variable that gets its old value back when the block around ends.
#pragma once

#include <type_traits>

namespace bittern::chat::jinja {

template <typename T>
class Restored {
 public:
  Restored(T& place, std::type_identity_t<T> value) : place_(place), old_(place) { place = value; }
  ~Restored() { place_ = old_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& place_;
  T old_;
};

}  // namespace bittern::chat::jinja
