#include "csrc/checkpoint/config_keys.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "csrc/input_error.h"

namespace simba {

using nlohmann::json;

ConfigKeys::ConfigKeys(const json& object, std::string where)
    : object_(object), where_(std::move(where)) {}

const json* ConfigKeys::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

std::int64_t ConfigKeys::size(const char* key, std::optional<std::int64_t> otherwise) const {
  const json* value = find(key);
  if (value == nullptr && otherwise) return *otherwise;
  if (value == nullptr) throw InputError(where_ + ": no " + key);
  return count(key, *value, kLargestSize);
}

std::int64_t ConfigKeys::layers(const char* key) const {
  const json* value = find(key);
  if (value == nullptr) throw InputError(where_ + ": no " + key);
  return count(key, *value, kMostLayers);
}

std::int64_t ConfigKeys::count(const char* key, const json& value, std::int64_t most) const {
  const std::string expected = "an integer from 1 to " + std::to_string(most);
  if (!value.is_number_integer()) refuse(key, expected, value);
  const bool fits =
      value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most);
  if (!fits || value.get<std::int64_t>() < 1) refuse(key, expected, value);
  return value.get<std::int64_t>();
}

double ConfigKeys::positive(const char* key, double otherwise) const {
  const json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || !(value->get<double>() > 0)) refuse(key, "a positive number", *value);
  return value->get<double>();
}

bool ConfigKeys::boolean(const char* key, bool otherwise) const {
  const json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(key, "true or false", *value);
  return value->get<bool>();
}

std::string ConfigKeys::text(const char* key, const char* otherwise) const {
  const json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) refuse(key, "a text", *value);
  return value->get<std::string>();
}

void ConfigKeys::refuse(const char* key, const std::string& expected, const json& got) const {
  std::string shown = got.dump(-1, ' ', true);
  if (shown.size() > 80) shown = shown.substr(0, 80) + "...";
  throw InputError(where_ + ": " + key + ": expected " + expected + ", got " + shown);
}

}  // namespace simba
