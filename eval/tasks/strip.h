// White space at the ends of a text, as Python's str.strip and str.rstrip see it: newlines, NBSP,
// U+0085 and U+001C to U+001F belong to it, U+200B does not.
#pragma once

#include <string>
#include <string_view>

namespace simba::eval {

// Bytes before the trailing white space. The text must be valid UTF-8.
std::size_t length_without_trailing_space(std::string_view text);

std::string strip(std::string_view text);

}  // namespace simba::eval
