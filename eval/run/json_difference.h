// Where two JSON documents differ, for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace simba::eval {

// "model.weights[0].sha256: \"ab\" then, \"cd\" now; score: 8 then, 16 now": the first three fields
// that differ. Empty where the documents are equal; the order of keys does not count.
std::string json_difference(const nlohmann::ordered_json& then, const nlohmann::ordered_json& now);

}  // namespace simba::eval
