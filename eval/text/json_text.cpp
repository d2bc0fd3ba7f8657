#include "eval/text/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

bool on_one_line(const Json& value) {
  if (value.is_primitive() || value.empty()) return true;
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [](const Json& item) { return item.is_primitive(); });
}

// A path need not be UTF-8, and is no reason to lose what was computed.
std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string flat(const Json& value) {
  if (!value.is_array()) return dump(value);
  std::string text;
  for (const Json& item : value) text += (text.empty() ? "" : ", ") + dump(item);
  return "[" + text + "]";
}

void append(const Json& value, const std::string& indent, std::string& text) {
  if (on_one_line(value)) {
    text += flat(value);
    return;
  }
  const std::string inner = indent + "  ";
  const bool object = value.is_object();
  text += object ? "{\n" : "[\n";
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!first) text += ",\n";
    first = false;
    text += inner;
    if (object) text += dump(Json(key)) + ": ";
    append(item, inner, text);
  }
  text += "\n" + indent + (object ? "}" : "]");
}

}  // namespace

std::string json_text(const Json& value) {
  std::string text;
  append(value, "", text);
  return text + "\n";
}

}  // namespace simba::eval
