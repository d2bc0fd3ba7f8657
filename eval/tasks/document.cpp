#include "eval/tasks/document.h"

#include <nlohmann/json.hpp>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "csrc/tokenizer/utf8.h"

namespace simba::eval {
namespace {

using Json = nlohmann::json;
using Fields = std::map<std::string, Document::Field>;

constexpr int kDeepest = 16;

std::string scalar_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void flatten(const Json& value, const std::string& path, int depth, Fields& fields);

// A list of scalars is one field; of objects, one list for every path that all of them have.
void flatten_array(const Json& array, const std::string& path, int depth, Fields& fields) {
  std::vector<std::string> scalars;
  std::map<std::string, std::vector<std::string>> columns;
  for (const Json& item : array) {
    if (item.is_object()) {
      Fields inner;
      flatten(item, path + "[]", depth + 1, inner);
      for (const auto& [name, field] : inner) {
        if (const auto* text = std::get_if<std::string>(&field)) columns[name].push_back(*text);
      }
    } else if (item.is_primitive() && !item.is_null()) {
      scalars.push_back(scalar_text(item));
    }
  }
  if (scalars.size() == array.size()) fields[path] = std::move(scalars);
  for (auto& [name, column] : columns) {
    if (column.size() == array.size()) fields[name] = std::move(column);
  }
}

void flatten(const Json& value, const std::string& path, int depth, Fields& fields) {
  if (depth > kDeepest) {
    throw InputError("expected JSON of at most " + std::to_string(kDeepest) +
                     " levels, got more at " + quote(path));
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      flatten(item, path.empty() ? key : path + "." + key, depth + 1, fields);
    }
  } else if (value.is_array()) {
    flatten_array(value, path, depth, fields);
  } else if (!value.is_null()) {
    fields[path] = scalar_text(value);
  }
}

std::string names_of(const Fields& fields) {
  std::string names;
  for (const auto& [name, field] : fields) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : quote(names);
}

template <typename T>
const T& field_of(const Document& document, const std::string& path, const char* kind) {
  const auto found = document.fields.find(path);
  if (found == document.fields.end()) {
    throw InputError(document.where + ": expected a field " + quote(path) + ", found " +
                     names_of(document.fields));
  }
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  throw InputError(document.where + ": expected field " + quote(path) + " to be " + kind);
}

}  // namespace

const std::string& Document::text(const std::string& path) const {
  return field_of<std::string>(*this, path, "a text, got a list");
}

const std::vector<std::string>& Document::list(const std::string& path) const {
  return field_of<std::vector<std::string>>(*this, path, "a list, got a text");
}

Document parse_document(std::string_view json, const std::string& where) {
  Document document{where, {}};
  try {
    require_utf8(json);
    // The parser takes it for the end.
    if (const std::size_t nul = json.find('\0'); nul != std::string_view::npos) {
      throw InputError("invalid JSON at byte " + std::to_string(nul + 1) + " of the line");
    }
    const Json value = Json::parse(json.begin(), json.end());
    if (!value.is_object()) {
      throw InputError(std::string("expected a JSON object, got ") + value.type_name());
    }
    flatten(value, "", 0, document.fields);
  } catch (const InputError& error) {
    throw InputError(where + ": " + error.what());
  } catch (const Json::parse_error& error) {
    throw InputError(where + ": invalid JSON at byte " + std::to_string(error.byte) +
                     " of the line");
  } catch (const Json::out_of_range&) {
    throw InputError(where + ": a number in the JSON is too large");
  }
  return document;
}

}  // namespace simba::eval
