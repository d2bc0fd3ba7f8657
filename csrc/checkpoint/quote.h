// Text from a file, made safe for an error message of one line.
#pragma once

#include <string>
#include <string_view>

namespace simba {

// The text in single quotes: bytes outside printable ASCII become \xNN, text over 120 bytes is cut
// with an ellipsis.
std::string quote(std::string_view text);

}  // namespace simba
