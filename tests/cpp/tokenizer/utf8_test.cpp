#include "csrc/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"

namespace simba {
namespace {

TEST(Utf8, EveryCodePointGoesThereAndBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(c, text);
    const Utf8Sequence sequence = utf8_sequence(text);
    ASSERT_TRUE(sequence.valid && sequence.size == text.size()) << static_cast<int>(c);
    ASSERT_EQ(code_point_at(text, 0).value, c);
    ASSERT_EQ(code_point_before("x" + text, text.size() + 1).value, c);
  }
}

TEST(Utf8, NamesTheFirstByteThatIsWrong) {
  const struct {
    std::string text;
    const char* words;
  } rows[] = {
      {"\xFF", "byte offset 0 holds 0xFF"},
      {"abcdefghij\x80", "byte offset 10 holds 0x80"},
      {"é\xC3", "byte offset 2 holds 0xC3"},
      {"a\xC0\xAF", "byte offset 1 holds 0xC0"},         // overlong
      {"\xE0\x9F\xBF", "byte offset 0 holds 0xE0"},      // overlong
      {"\xED\xA0\x80", "byte offset 0 holds 0xED"},      // surrogate
      {"\xF4\x90\x80\x80", "byte offset 0 holds 0xF4"},  // above U+10FFFF
      {"€€\xE2\x82", "byte offset 6 holds 0xE2"},        // breaks off
  };
  for (const auto& row : rows) {
    EXPECT_TRUE(test::refuses(row.words, [&] { require_utf8(row.text); }));
  }
  EXPECT_NO_THROW(require_utf8("plain, \u00e9\u20ac\U0001F600 and more than eight bytes"));
}

TEST(Utf8, ReplacesEachMaximalSubpart) {
  EXPECT_EQ(replace_invalid_utf8("a€"), "a€");
  EXPECT_EQ(replace_invalid_utf8("a\xE2\x82z"), "a\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x28\xA1"), "\uFFFD(\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xC0\x80\xFF"), "\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace simba
