// Typed reading of the keys of a config.json.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace simba {

// One JSON object, which outlives this. An absent key gives the default; a value of another kind is
// an InputError that begins with `where` and names the key, what was expected and what came.
class ConfigKeys {
 public:
  // Keeps every product of two sizes inside 63 bits.
  static constexpr std::int64_t kLargestSize = std::numeric_limits<std::int32_t>::max();
  // What is made of each layer is made before its weights are looked for.
  static constexpr std::int64_t kMostLayers = 100'000;

  ConfigKeys(const nlohmann::json& object, std::string where);

  const nlohmann::json* find(const char* key) const;  // nullptr: absent

  // From 1 to kLargestSize. Without a default the key must be there.
  std::int64_t size(const char* key, std::optional<std::int64_t> otherwise = std::nullopt) const;
  std::int64_t layers(const char* key) const;  // from 1 to kMostLayers
  double positive(const char* key, double otherwise) const;
  bool boolean(const char* key, bool otherwise) const;
  std::string text(const char* key, const char* otherwise) const;

  [[noreturn]] void refuse(const char* key, const std::string& expected,
                           const nlohmann::json& got) const;

 private:
  std::int64_t count(const char* key, const nlohmann::json& value, std::int64_t most) const;

  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace simba
