// Doubles in a journal: read back they are the same to the last bit, those included that JSON has
// no number for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace simba::eval {

// A number, or "nan", "inf", "-inf".
nlohmann::ordered_json exact_number(double value);
nlohmann::ordered_json exact_numbers(const std::vector<double>& values);

// The inverse. Throws nlohmann's exceptions where it is neither.
double read_exact_number(const nlohmann::ordered_json& value);
std::vector<double> read_exact_numbers(const nlohmann::ordered_json& values);

}  // namespace simba::eval
