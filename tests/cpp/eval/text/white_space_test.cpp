#include "eval/text/white_space.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

TEST(WhiteSpace, CountsWordsAsPythonSplits) {
  EXPECT_EQ(count_words(""), 0);
  EXPECT_EQ(count_words(" \n\t "), 0);
  EXPECT_EQ(count_words("one"), 1);
  EXPECT_EQ(count_words("  one\r\ntwo\tthree-four "), 3);
  EXPECT_EQ(count_words("a\u00a0b\u2003c\u3000d\u0085e\x1c"
                        "f"),
            6);
  // Zero width space and the byte order mark are no white space.
  EXPECT_EQ(count_words("a\u200bb\ufeffc"), 1);
}

TEST(WhiteSpace, RefusesInvalidUtf8) {
  EXPECT_TRUE(refuses("2", [] { count_words("ab\xff"); }));
  EXPECT_TRUE(refuses("1", [] { count_words("a\xe2\x82"); }));
}

}  // namespace
}  // namespace simba::eval
