#include "csrc/tokenizer/gpt2_split.h"

#include "csrc/tokenizer/character_class.h"
#include "csrc/tokenizer/utf8.h"

namespace simba {
namespace {

// The classes that the pattern tells apart: L, N, \s and everything else (0).
constexpr std::uint8_t kPatternClasses = kLetter | kNumber | kSpace;

std::uint8_t pattern_class(const std::uint8_t* classes, char32_t c) {
  return classes[c] & kPatternClasses;
}

// Length of a contraction that `text` starts with, or 0.
std::size_t contraction(std::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return text.size() > 2 && text[2] == 'e' ? 3 : 0;
    case 'l':
      return text.size() > 2 && text[2] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

}  // namespace

std::size_t gpt2_word_end(std::string_view text, std::size_t begin) {
  if (const std::size_t length = contraction(text.substr(begin))) return begin + length;
  const std::uint8_t* classes = character_classes();

  std::size_t end = begin;
  CodePoint c = code_point_at(text, end);
  if (c.value == ' ' && end + 1 < text.size()) {
    const CodePoint next = code_point_at(text, end + 1);
    if (pattern_class(classes, next.value) != kSpace) {
      c = next;
      ++end;
    }
  }

  const std::uint8_t wanted = pattern_class(classes, c.value);
  std::size_t last = end;  // start of the run's last character
  while (pattern_class(classes, c.value) == wanted) {
    last = end;
    end += c.size;
    if (end == text.size()) return end;
    c = code_point_at(text, end);
  }
  // \s+(?!\S): a run of blanks leaves its last one to the next word, unless it is the only one.
  return wanted == kSpace && last > begin ? last : end;
}

}  // namespace simba
