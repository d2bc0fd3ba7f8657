// Words of a text, as Python's str.split() counts them: what perplexity per word divides by.
#pragma once

#include <cstdint>
#include <string_view>

namespace simba::eval {

// Whether Python's str.isspace() holds for a code point.
bool is_white_space(char32_t code_point);

// Number of maximal runs of other characters. Throws InputError on invalid UTF-8, with the byte
// offset.
std::int64_t count_words(std::string_view text);

}  // namespace simba::eval
