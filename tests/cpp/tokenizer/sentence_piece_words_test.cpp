#include "csrc/tokenizer/sentence_piece_words.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace simba {
namespace {

// Fields of sentencepiece_model.proto; numbers below 128 take one byte each.
std::string number(int field, int value) {
  return {static_cast<char>(field << 3), static_cast<char>(value)};
}
std::string bytes(int field, const std::string& content) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(content.size())} +
         content;
}
std::string piece(const std::string& text, float score = 0, int type = 1) {
  const auto bits = std::bit_cast<std::array<char, 4>>(score);
  return bytes(1, bytes(1, text) + static_cast<char>(2 << 3 | 5) +
                      std::string(bits.begin(), bits.end()) + number(3, type));
}

constexpr int kBpe = 2, kUserDefined = 4;
using Ids = std::vector<std::int32_t>;

struct Model {
  std::string pieces =
      piece("a") + piece("b") + piece("\u2581") + piece("ab", -1) + piece("\u2581a", -2);
  std::string trainer = number(3, kBpe);
  std::string normalizer = number(4, 0);

  std::string text() const { return pieces + bytes(2, trainer) + bytes(3, normalizer); }
  std::unique_ptr<const SentencePieceWords> words() const { return SentencePieceWords::of(text()); }
};

Ids encode(const Model& model, std::string_view word, bool after_blank = true) {
  Ids ids;
  EXPECT_TRUE(model.words()->encode(word, after_blank, ids)) << word;
  return ids;
}

TEST(SentencePieceWords, HigherScoresMergeFirst) {
  const Model model;
  EXPECT_EQ(encode(model, ""), (Ids{2}));
  EXPECT_EQ(encode(model, "a"), (Ids{4}));
  EXPECT_EQ(encode(model, "ab"), (Ids{2, 3}));
  EXPECT_EQ(encode(model, "aab"), (Ids{4, 3}));
  Model other;
  other.pieces = piece("a") + piece("b") + piece("\u2581") + piece("ab", -2) + piece("\u2581a", -1);
  EXPECT_EQ(encode(other, "ab"), (Ids{4, 1}));
}

TEST(SentencePieceWords, EqualScoresMergeFromTheLeft) {
  Model model;
  model.pieces = piece("a") + piece("\u2581") + piece("aa");
  EXPECT_EQ(encode(model, "aaa"), (Ids{1, 2, 0}));
}

TEST(SentencePieceWords, LeavesToTheLibraryWhatItCannotEncode) {
  Model model;
  model.pieces += piece("xy", 0, kUserDefined) + piece("x");
  for (const char* word : {"ac", "a\u4e2d", "a\xFF", "x", "\xE2"}) {
    Ids ids;
    EXPECT_FALSE(model.words()->encode(word, true, ids)) << word;
    EXPECT_TRUE(ids.empty());
  }
}

TEST(SentencePieceWords, SymbolsOfOneByteBeginOne) {
  Model model;
  model.pieces += piece("\n", 0, kUserDefined) + piece("xy", 0, kUserDefined);
  EXPECT_TRUE(model.words()->begins_word('\n'));
  EXPECT_FALSE(model.words()->begins_word('x'));
  EXPECT_FALSE(model.words()->begins_word('a'));
  EXPECT_EQ(encode(model, "\nab", false), (Ids{5, 3}));
  EXPECT_EQ(encode(model, "\n", false), (Ids{5}));
  model.pieces += piece("\n\n", 0, kUserDefined);
  EXPECT_FALSE(model.words()->begins_word('\n'));
}

TEST(SentencePieceWords, NotWhereTheyMayDependOnOneAnother) {
  for (const std::string& more :
       {piece("a\u2581"), piece("\u2581\u2581"), piece("a b"), piece("\u2581x", 0, kUserDefined),
        piece("x", 0, 5), piece("x", 0, 3)}) {
    Model model;
    model.pieces += more;
    EXPECT_FALSE(model.words());
  }
  Model model;
  model.pieces = piece("a");
  EXPECT_FALSE(model.words()) << "no piece for a blank";
  for (const std::string& trainer :
       {std::string(), number(3, 1), number(3, kBpe) + std::string("\xC0\x01\x01", 3)}) {
    model = Model();
    model.trainer = trainer;
    EXPECT_FALSE(model.words());
  }
  for (const std::string& normalizer :
       {std::string(), number(4, 1), number(4, 0) + number(3, 0), number(4, 0) + number(5, 0),
        number(4, 0) + bytes(2, "map")}) {
    model = Model();
    model.normalizer = normalizer;
    EXPECT_FALSE(model.words());
  }
  EXPECT_FALSE(SentencePieceWords::of(Model().text() + "\x0A"));
}

}  // namespace
}  // namespace simba
