// Every filter of jinja2 3.1.6 with transformers' tojson. Those that make HTML or random choices
// are known by name, so that a template which only mentions them parses, and refused when used.
#include <algorithm>

#include "chat/jinja/filters.h"
#include "chat/jinja/interpreter.h"

namespace bittern::chat::jinja {
namespace {

Object refused(Interpreter& run, const Object&, const Arguments&) {
  run.fail(
      "the filters filesizeformat, pprint, random, striptags, urlize, wordwrap and xmlattr are not "
      "supported in a chat template");
}

constexpr FilterRow kFilters[] = {
    {"abs", value_filter::absolute},
    {"attr", value_filter::attribute},
    {"batch", sequence_filter::batch},
    {"capitalize", text_filter::capitalize},
    {"center", text_filter::center},
    {"count", value_filter::length},
    {"d", value_filter::default_value},
    {"default", value_filter::default_value},
    {"dictsort", sequence_filter::dict_sort},
    {"e", text_filter::escape},
    {"escape", text_filter::escape},
    {"filesizeformat", refused},
    {"first", sequence_filter::first},
    {"float", value_filter::to_float},
    {"forceescape", text_filter::force_escape},
    {"format", text_filter::format},
    {"groupby", sequence_filter::group_by},
    {"indent", text_filter::indent},
    {"int", value_filter::to_int},
    {"items", sequence_filter::items},
    {"join", sequence_filter::join},
    {"last", sequence_filter::last},
    {"length", value_filter::length},
    {"list", sequence_filter::list},
    {"lower", text_filter::lower},
    {"map", sequence_filter::map},
    {"max", sequence_filter::max},
    {"min", sequence_filter::min},
    {"pprint", refused},
    {"random", refused},
    {"reject", sequence_filter::reject},
    {"rejectattr", sequence_filter::reject_attribute},
    {"replace", text_filter::replace},
    {"reverse", sequence_filter::reverse},
    {"round", value_filter::round},
    {"safe", text_filter::safe},
    {"select", sequence_filter::select},
    {"selectattr", sequence_filter::select_attribute},
    {"slice", sequence_filter::slice},
    {"sort", sequence_filter::sort},
    {"string", text_filter::string},
    {"striptags", refused},
    {"sum", sequence_filter::sum},
    {"title", text_filter::title},
    {"tojson", text_filter::to_json},
    {"trim", text_filter::trim},
    {"truncate", text_filter::truncate},
    {"unique", sequence_filter::unique},
    {"upper", text_filter::upper},
    {"urlencode", text_filter::url_encode},
    {"urlize", refused},
    {"wordcount", text_filter::word_count},
    {"wordwrap", refused},
    {"xmlattr", refused},
};

}  // namespace

const FilterRow* find_filter(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFilters), std::end(kFilters),
                                   [&](const FilterRow& row) { return row.name == name; });
  return found == std::end(kFilters) ? nullptr : found;
}

}  // namespace bittern::chat::jinja
