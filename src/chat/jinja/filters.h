// The filters by group, one file each; filter_table.cc has the table of all.
#pragma once

#include "chat/jinja/tables.h"

namespace bittern::chat::jinja {

#define BITTERN_FILTER(name) \
  Object name(Interpreter& run, const Object& value, const Arguments& arguments)

namespace text_filter {  // text_filters.cc
BITTERN_FILTER(capitalize);
BITTERN_FILTER(center);
BITTERN_FILTER(escape);
BITTERN_FILTER(force_escape);
BITTERN_FILTER(format);
BITTERN_FILTER(indent);
BITTERN_FILTER(lower);
BITTERN_FILTER(replace);
BITTERN_FILTER(safe);
BITTERN_FILTER(string);
BITTERN_FILTER(title);
BITTERN_FILTER(to_json);
BITTERN_FILTER(trim);
BITTERN_FILTER(truncate);
BITTERN_FILTER(upper);
BITTERN_FILTER(url_encode);
BITTERN_FILTER(word_count);
}  // namespace text_filter

namespace value_filter {  // value_filters.cc
BITTERN_FILTER(absolute);
BITTERN_FILTER(attribute);
BITTERN_FILTER(default_value);
BITTERN_FILTER(length);
BITTERN_FILTER(round);
BITTERN_FILTER(to_float);
BITTERN_FILTER(to_int);
}  // namespace value_filter

namespace sequence_filter {  // sequence_filters.cc, selection_filters.cc
BITTERN_FILTER(batch);
BITTERN_FILTER(dict_sort);
BITTERN_FILTER(first);
BITTERN_FILTER(group_by);
BITTERN_FILTER(items);
BITTERN_FILTER(join);
BITTERN_FILTER(last);
BITTERN_FILTER(list);
BITTERN_FILTER(map);
BITTERN_FILTER(max);
BITTERN_FILTER(min);
BITTERN_FILTER(reject);
BITTERN_FILTER(reject_attribute);
BITTERN_FILTER(reverse);
BITTERN_FILTER(select);
BITTERN_FILTER(select_attribute);
BITTERN_FILTER(slice);
BITTERN_FILTER(sort);
BITTERN_FILTER(sum);
BITTERN_FILTER(unique);
}  // namespace sequence_filter

#undef BITTERN_FILTER

// "address.city", "0.name", 3: what the parameter `attribute` of many filters says. Parts of
// digits are positions. None is the value itself.
class AttributePath {
 public:
  AttributePath(Interpreter& run, const Object& attribute);
  // `otherwise`, unless none, stands for each part that is undefined.
  Object of(const Object& value, const Object& otherwise = none()) const;

 private:
  Interpreter& run_;
  std::vector<Object> parts_;
};
// A text in lower case, anything else as it is: how filters compare unless told otherwise.
Object without_case(Interpreter& run, const Object& value);

}  // namespace bittern::chat::jinja
