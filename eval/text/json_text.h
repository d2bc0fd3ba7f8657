// JSON for people and for diff: keys in the order they were set, two blanks per level, an array of
// numbers and short strings on one line, numbers with the fewest digits that read back the same.
// What is not finite is null; of text, what is not UTF-8 is U+FFFD.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace simba::eval {

// Ends with a newline.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace simba::eval
