#include "csrc/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

namespace simba {
namespace {

// "a/[7]b/": text between tokens ends in a slash, a token is its id in brackets.
std::string cut(const std::vector<AddedToken>& tokens, std::string_view text) {
  std::string out;
  AddedTokens(tokens).cut(text, [&](const AddedTokens::Piece& piece) {
    EXPECT_FALSE(piece.text.empty());
    if (piece.id < 0) {
      out.append(piece.text).append("/");
    } else {
      out.append("[").append(std::to_string(piece.id)).append("]");
    }
  });
  return out;
}

AddedToken token(std::int64_t id, const std::string& content) {
  AddedToken token;
  token.id = id;
  token.content = content;
  return token;
}

TEST(AddedTokens, TakesTheLeftmostThenTheLongest) {
  const std::vector<AddedToken> tokens = {token(1, "ab"), token(2, "abcd"), token(3, "bcdefg"),
                                          token(4, "x")};
  EXPECT_EQ(cut(tokens, ""), "");
  EXPECT_EQ(cut(tokens, "zz"), "zz/");
  EXPECT_EQ(cut(tokens, "zabcz"), "z/[1]cz/");
  EXPECT_EQ(cut(tokens, "abcdefg"), "[2]efg/");
  EXPECT_EQ(cut(tokens, "bcdefgxx"), "[3][4][4]");
  EXPECT_EQ(cut(tokens, "bcdefab"), "bcdef/[1]");
  EXPECT_EQ(cut({}, "ab"), "ab/");
}

TEST(AddedTokens, SingleWordNeedsNoWordCharacterBeside) {
  AddedToken word = token(1, "yes");
  word.single_word = true;
  EXPECT_EQ(cut({word}, "yes"), "[1]");
  EXPECT_EQ(cut({word}, "a yes!"), "a /[1]!/");
  EXPECT_EQ(cut({word}, "ayes"), "ayes/");
  EXPECT_EQ(cut({word}, "yes_"), "yes_/");
  EXPECT_EQ(cut({word}, "yes\u0301"), "yes\u0301/");
  EXPECT_EQ(cut({word}, "\u00e9yes"), "\u00e9yes/");
  EXPECT_EQ(cut({word}, "\u20acyes\u00b2"), "\u20ac/[1]\u00b2/");
  // What was refused is passed over as a whole: "es" inside it is not looked for.
  EXPECT_EQ(cut({word, token(2, "es")}, "ayes yes"), "ayes /[1]");
}

TEST(AddedTokens, StripTakesWhiteSpaceAlong) {
  AddedToken left = token(1, "<l>");
  left.lstrip = true;
  AddedToken right = token(2, "<r>");
  right.rstrip = true;
  EXPECT_EQ(cut({left}, "a \t\u3000<l> b"), "a/[1] b/");
  EXPECT_EQ(cut({right}, "a <r>\n\u0085 b"), "a /[2]b/");
  EXPECT_EQ(cut({right}, "<r>\u200bb"),
            "[2]\u200b"
            "b/");
  // White space already taken by the token before stays taken.
  EXPECT_EQ(cut({left, right}, "<r>  <l>x"), "[2][1]x/");
  EXPECT_EQ(cut({left}, "  <l>"), "[1]");
}

}  // namespace
}  // namespace simba
