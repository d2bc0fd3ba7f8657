#include "eval/run/json_difference.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFields = 3;
constexpr std::size_t kLongestValue = 80;

std::string value_text(const Json* value) {
  if (value == nullptr) return "nothing";
  const std::string text = value->dump();
  return text.size() <= kLongestValue ? text : text.substr(0, kLongestValue) + "...";
}

class Differences {
 public:
  void compare(const std::string& path, const Json& then, const Json& now) {
    if (then == now) return;
    if (then.is_object() && now.is_object()) {
      compare_objects(path, then, now);
    } else if (then.is_array() && then.size() == now.size() && now.is_array() && is_nested(then)) {
      for (std::size_t i = 0; i < then.size(); ++i) {
        compare(path + "[" + std::to_string(i) + "]", then[i], now[i]);
      }
    } else {
      add(path, &then, &now);
    }
  }

  const std::string& text() const { return text_; }

 private:
  static bool is_nested(const Json& array) {
    return std::any_of(array.begin(), array.end(),
                       [](const Json& item) { return item.is_structured(); });
  }

  void compare_objects(const std::string& path, const Json& then, const Json& now) {
    const std::string above = path.empty() ? "" : path + ".";
    for (const auto& [key, value] : then.items()) {
      const auto found = now.find(key);
      if (found == now.end()) {
        add(above + key, &value, nullptr);
      } else {
        compare(above + key, value, *found);
      }
    }
    for (const auto& [key, value] : now.items()) {
      if (!then.contains(key)) add(above + key, nullptr, &value);
    }
  }

  void add(const std::string& path, const Json* then, const Json* now) {
    if (++found_ > kFields) return;
    text_ += (text_.empty() ? "" : "; ") + path + ": " + value_text(then) + " then, " +
             value_text(now) + " now";
  }

  std::size_t found_ = 0;
  std::string text_;
};

}  // namespace

std::string json_difference(const Json& then, const Json& now) {
  Differences differences;
  differences.compare("", then, now);
  return differences.text();
}

}  // namespace simba::eval
