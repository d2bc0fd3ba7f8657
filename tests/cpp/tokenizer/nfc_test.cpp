#include "csrc/tokenizer/nfc.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <iterator>
#include <memory>
#include <random>

#include "csrc/tokenizer/utf8.h"

namespace simba {
namespace {

std::string normalized(std::string_view text) {
  std::string storage;
  return std::string(nfc(text, storage));
}

TEST(Nfc, ComposesReordersAndReplaces) {
  EXPECT_EQ(normalized("cafe\u0301s"), "caf\u00e9s");
  EXPECT_EQ(normalized("a\u0301\u0323"), "\u1ea1\u0301");                   // reordered, composed
  EXPECT_EQ(normalized("\u212b \u2126"), "\u00c5 \u03a9");                  // singletons
  EXPECT_EQ(normalized("\u0958"), "\u0915\u093c");                          // composition exclusion
  EXPECT_EQ(normalized("\u1112\u1161\u11ab\u1100\u1161"), "\ud55c\uac00");  // Hangul
  EXPECT_EQ(normalized("\ud558\u11ab"), "\ud55c");
  EXPECT_EQ(normalized("\u0301e\u0301"), "\u0301\u00e9");  // a mark at the start
  EXPECT_EQ(normalized("\u00e9\u0323"), "\u1eb9\u0301");
  EXPECT_EQ(normalized(std::string_view("e\0\u0301", 4)), std::string_view("e\0\u0301", 4));
}

TEST(Nfc, ReturnsNormalizedTextItself) {
  for (const std::string_view text : {"", "plain", "\u201cd\u00e9j\u00e0\u201d \u4e2d\U0001F600"}) {
    std::string storage;
    EXPECT_EQ(nfc(text, storage).data(), text.data());
  }
}

TEST(Nfc, LeavesMarksYoungerThanUnicode9WhereTheyStand) {
  // U+1ABF (class 220, Unicode 13) would go before U+0301 (class 230).
  EXPECT_EQ(normalized("x\u0301\u1abf"), "x\u0301\u1abf");
  // It also keeps marks on its two sides apart: U+0323 (class 220) does not pass it.
  EXPECT_EQ(normalized("e\u1abf\u0301\u0323"), "e\u1abf\u0323\u0301");
  // U+11935 U+11930 compose to U+11938 since Unicode 13.
  EXPECT_EQ(normalized("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(normalized("\U00011938"), "\U00011938");
}

TEST(Nfc, EqualsUtf8procOnOlderCharacters) {
  const char32_t pool[] = {'a',    'e',    0x20,    0xE9,    0x300,   0x301,  0x308,
                           0x323,  0x327,  0x338,   0x345,   0x5B4,   0x915,  0x93C,
                           0x958,  0x9C7,  0x9BE,   0xAC00,  0x1100,  0x1161, 0x11A8,
                           0x1E69, 0x1F71, 0x212B,  0x2ADC,  0x3099,  0x304B, 0xF900,
                           0xFB1D, 0xFB4E, 0x1D15E, 0x1D165, 0x2F800, 0x4E00, 0x1F600};
  std::mt19937 random(7);
  std::uniform_int_distribution<std::size_t> any(0, std::size(pool) - 1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t n = any(random) % 12; n > 0; --n) append_utf8(pool[any(random)], text);
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> expected(
        utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())), &std::free);
    ASSERT_EQ(normalized(text), reinterpret_cast<const char*>(expected.get())) << text;
  }
}

}  // namespace
}  // namespace simba
