#include "eval/text/white_space.h"

#include "csrc/tokenizer/utf8.h"

namespace simba::eval {

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::int64_t count_words(std::string_view text) {
  require_utf8(text);
  std::int64_t words = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint code_point = code_point_at(text, at);
    const bool space = is_white_space(code_point.value);
    if (!space && !inside) ++words;
    inside = !space;
    at += code_point.size;
  }
  return words;
}

}  // namespace simba::eval
