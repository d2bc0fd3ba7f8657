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

Json exact_numbers(const std::vector<double>& values) {
  Json array = Json::array();
  for (const double value : values) array.push_back(exact_number(value));
  return array;
}

double read_exact_number(const Json& value) {
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  return value.get<double>();
}

std::vector<double> read_exact_numbers(const Json& values) {
  std::vector<double> numbers;
  for (const Json& value : values) numbers.push_back(read_exact_number(value));
  return numbers;
}

}  // namespace simba::eval
