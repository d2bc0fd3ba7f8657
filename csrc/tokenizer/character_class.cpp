#include "csrc/tokenizer/character_class.h"

#include <utf8proc.h>

#include <vector>

namespace simba {
namespace {

bool is_white_space(std::int32_t c, utf8proc_category_t category) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

// Other_Alphabetic outside of M: circled, parenthesized and squared Latin letters, which are So.
bool is_alphabetic_symbol(std::int32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

bool is_join_control(std::int32_t c) { return c == 0x200C || c == 0x200D; }

std::uint8_t classes_of(std::int32_t c) {
  std::uint8_t classes = 0;
  const utf8proc_category_t category = utf8proc_category(c);
  switch (category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      classes = kLetter | kWord;
      break;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
      classes = kNumber | kWord;
      break;
    case UTF8PROC_CATEGORY_NO:
      classes = kNumber;
      break;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
      classes = kWord;
      break;
    default:
      break;
  }
  if (is_white_space(c, category)) classes |= kSpace;
  if (is_alphabetic_symbol(c) || is_join_control(c)) classes |= kWord;
  return classes;
}

}  // namespace

const std::uint8_t* character_classes() {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> classes(0x110000);
    for (std::int32_t c = 0; c < 0x110000; ++c)
      classes[static_cast<std::size_t>(c)] = classes_of(c);
    return classes;
  }();
  return table.data();
}

}  // namespace simba
