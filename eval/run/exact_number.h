// Doubles in a journal: read back they are the same to the last bit, those included that JSON has
// no number for.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace simba::eval {

// A number, or "nan", "inf", "-inf".
nlohmann::ordered_json exact_number(double value);

// The inverse. Throws nlohmann's exceptions where it is neither.
double read_exact_number(const nlohmann::ordered_json& value);

}  // namespace simba::eval
