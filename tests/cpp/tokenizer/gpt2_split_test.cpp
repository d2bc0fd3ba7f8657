#include "csrc/tokenizer/gpt2_split.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace simba {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text) {
  Words words;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = gpt2_word_end(text, begin);
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

// The expected words were read from the pattern with a regular expression engine.
struct Row {
  const char* text;
  Words words;
};

TEST(Gpt2Split, FollowsThePattern) {
  const Row rows[] = {
      {"Hello world", {"Hello", " world"}},
      {"abc123 456,7", {"abc", "123", " 456", ",", "7"}},
      {"it's we're I'll I'd I've I'm can't",
       {"it", "'s", " we", "'re", " I", "'ll", " I", "'d", " I", "'ve", " I", "'m", " can", "'t"}},
      {"IT'S", {"IT", "'", "S"}},
      {"I'Ve I'lL I'rE", {"I", "'", "Ve", " I", "'", "lL", " I", "'", "rE"}},
      {"'s", {"'s"}},
      {" 's", {" '", "s"}},
      {"''s", {"''", "s"}},
      {"x''s", {"x", "''", "s"}},
      {"'stop", {"'s", "top"}},
      {"'l 'v", {"'", "l", " '", "v"}},
      {"'", {"'"}},
      {"a  b", {"a", " ", " b"}},
      {"a   b", {"a", "  ", " b"}},
      {"a \n b", {"a", " \n", " b"}},
      {"a\nb", {"a", "\n", "b"}},
      {"a\n\nb", {"a", "\n", "\n", "b"}},
      {"a \nb", {"a", " ", "\n", "b"}},
      {"a\r\nb", {"a", "\r", "\n", "b"}},
      {"a  ", {"a", "  "}},
      {"a ", {"a", " "}},
      {" ", {" "}},
      {"  \n", {"  \n"}},
      {"\u00a0a", {"\u00a0", "a"}},
      {" \u00a0a", {" ", "\u00a0", "a"}},
      {"a\u3000\u3000b", {"a", "\u3000", "\u3000", "b"}},
      {"a\u200bb", {"a", "\u200b", "b"}},
      {"\x1c\x1d", {"\x1c\x1d"}},
      {"\u00e9t\u00e9 \u00bd\u2167\u0663", {"\u00e9t\u00e9", " \u00bd\u2167\u0663"}},
      {"e\u0301a", {"e", "\u0301", "a"}},
      {"\u4e2d\u6587\u3002\u65e5", {"\u4e2d\u6587", "\u3002", "\u65e5"}},
      {"a \U0001F600!b", {"a", " \U0001F600!", "b"}},
  };
  for (const Row& row : rows) EXPECT_EQ(split(row.text), row.words) << row.text;
}

TEST(Gpt2Split, TakesAnEmptyByteForACharacter) {
  EXPECT_EQ(split(std::string_view("a\0\0b", 4)), (Words{"a", std::string(2, '\0'), "b"}));
}

}  // namespace
}  // namespace simba
