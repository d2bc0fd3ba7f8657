#include "eval/tasks/strip.h"

#include "csrc/tokenizer/utf8.h"
#include "eval/text/white_space.h"

namespace simba::eval {

std::size_t length_without_trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const CodePoint last = code_point_before(text, end);
    if (!is_white_space(last.value)) break;
    end -= last.size;
  }
  return end;
}

std::string strip(std::string_view text) {
  text = text.substr(0, length_without_trailing_space(text));
  while (!text.empty()) {
    const CodePoint first = code_point_at(text, 0);
    if (!is_white_space(first.value)) break;
    text.remove_prefix(first.size);
  }
  return std::string(text);
}

}  // namespace simba::eval
