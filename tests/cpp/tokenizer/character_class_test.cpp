#include "csrc/tokenizer/character_class.h"

#include <gtest/gtest.h>

namespace simba {
namespace {

// All code points are compared with Hugging Face's engines in tests/python/tokenizer.
TEST(CharacterClass, TellsNeighboursApart) {
  const struct {
    char32_t character;
    int classes;
  } rows[] = {
      {'a', kLetter | kWord},
      {'7', kNumber | kWord},
      {'_', kWord},
      {'-', 0},
      {' ', kSpace},
      {'\t', kSpace},
      {0x1C, 0},
      {0x85, kSpace},
      {0xA0, kSpace},
      {0xAA, kLetter | kWord},
      {0xB2, kNumber},
      {0x301, kWord},
      {0x1680, kSpace},
      {0x180E, 0},
      {0x200B, 0},
      {0x200D, kWord},
      {0x2028, kSpace},
      {0x202F, kSpace},
      {0x2160, kNumber | kWord},
      {0x24B6, kWord},
      {0x3000, kSpace},
      {0x4E00, kLetter | kWord},
      {0xD800, 0},
      {0xFEFF, 0},
      {0x1D7D8, kNumber | kWord},
      {0x1F130, kWord},
      {0x1F600, 0},
      {0x10FFFF, 0},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(character_classes()[row.character], row.classes) << static_cast<int>(row.character);
  }
}

}  // namespace
}  // namespace simba
