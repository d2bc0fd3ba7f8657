#include "eval/run/exact_number.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace simba::eval {

using Json = nlohmann::ordered_json;

Json exact_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

double read_exact_number(const Json& value) {
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  return value.get<double>();
}

}  // namespace simba::eval
