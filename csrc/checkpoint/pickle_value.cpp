#include "csrc/checkpoint/pickle_value.h"

#include <array>

namespace simba::pickle {

std::string type_name(const Value& value) {
  constexpr std::array kNames = {"None",     "a bool", "an int",    "a float",
                                 "a string", "a type", "a storage", "a tensor",
                                 "a tuple",  "a list", "a dict"};
  static_assert(kNames.size() == std::variant_size_v<decltype(Value::is)>);
  return kNames[value.is.index()];
}

}  // namespace simba::pickle
