#include "csrc/tokenizer/sentence_piece.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "tests/cpp/refusal.h"

namespace simba {
namespace {

using Ids = std::vector<std::int64_t>;

const std::string kPath = SIMBA_SOURCE_DIR "/examples/demo/model/tokenizer.model";

std::string model_bytes() {
  std::ifstream file(kPath, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class SentencePieceTest : public testing::Test {
 protected:
  const std::string bytes_ = model_bytes();
  const SentencePiece tokenizer_{bytes_, kPath};
};

// What the library's own rules come to (EVALUATION: not those of converted tokenizers).
TEST_F(SentencePieceTest, KeepsTheLibrarysRules) {
  EXPECT_EQ(tokenizer_.encode(""), Ids{});
  const Ids word = tokenizer_.encode("the");
  ASSERT_EQ(word.size(), 1u);
  EXPECT_EQ(tokenizer_.piece(word[0]), "\u2581the");
  EXPECT_EQ(tokenizer_.encode("\u2581the"), tokenizer_.encode(" the"));
  EXPECT_GT(tokenizer_.encode(" the").size(), 1u);
  for (const std::int64_t id : tokenizer_.encode("</s>"))
    EXPECT_NE(id, tokenizer_.document_start());
}

TEST_F(SentencePieceTest, StartsDocumentsWithEos) {
  EXPECT_EQ(tokenizer_.document_start(), 1);
  EXPECT_EQ(tokenizer_.piece(1), "</s>");
  EXPECT_EQ(tokenizer_.vocab_size(), 4096);
}

TEST_F(SentencePieceTest, DecodesWhatItEncoded) {
  for (const std::string text : {"It was a dark night.", "d\u00e9j\u00e0 vu, \U0001F600", "a\nb"}) {
    EXPECT_EQ(tokenizer_.decode(tokenizer_.encode(text)), text);
  }
  EXPECT_EQ(tokenizer_.decode({1}), "");
}

TEST_F(SentencePieceTest, RefusesIdsItDoesNotHave) {
  EXPECT_TRUE(test::refuses("expected 0 to 4095, got 4096", [&] { tokenizer_.piece(4096); }));
  EXPECT_TRUE(test::refuses("expected 0 to 4095, got -1", [&] { tokenizer_.decode({5, -1}); }));
}

// Word by word or at once: the ids are the library's.
TEST_F(SentencePieceTest, GivesTheLibrarysIds) {
  sentencepiece::SentencePieceProcessor library;
  ASSERT_TRUE(library.LoadFromSerializedProto(bytes_).ok());
  const std::string parts[] = {" ",   "\n", "the", "e", "\u2581", "\u00e9", "\xE2\x82", "\xFF",
                               "ing", "\t", "Th",  "0", "\u4e2d", ".",      "\r\n",     "</s>"};
  std::uint32_t random = 7;
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const int count = round % 23;
    for (int i = 0; i < count; ++i) {
      random = random * 1664525u + 1013904223u;
      text += parts[(random >> 16) % std::size(parts)];
    }
    std::vector<int> expected;
    ASSERT_TRUE(library.Encode(text, &expected).ok());
    ASSERT_EQ(tokenizer_.encode(text), Ids(expected.begin(), expected.end())) << text;
  }
}

TEST_F(SentencePieceTest, EncodesFromSeveralThreads) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "The night was dark; " + std::to_string(i) + " ";
  const Ids expected = tokenizer_.encode(text);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&] { result = tokenizer_.encode(text); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST_F(SentencePieceTest, RefusesAModelCutOffAnywhere) {
  testing::internal::CaptureStderr();
  const auto refuses_prefix = [&](std::size_t size) {
    return test::refuses(kPath, [&] { SentencePiece(bytes_.substr(0, size), kPath); });
  };
  for (std::size_t size = 0; size < bytes_.size(); size += 61) EXPECT_TRUE(refuses_prefix(size));
  for (std::size_t size = 1; size < 50; ++size) EXPECT_TRUE(refuses_prefix(bytes_.size() - size));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(SentencePieceTest, RefusesAModelCutOffBetweenPieces) {
  // Pieces are "0A, length, message": the first few alone are a complete protobuf message.
  std::size_t size = 0;
  for (int i = 0; i < 5; ++i) size += 2 + static_cast<unsigned char>(bytes_[size + 1]);
  ASSERT_EQ(bytes_[size], 0x0A);
  EXPECT_TRUE(test::refuses("it breaks off before its end",
                            [&] { SentencePiece(bytes_.substr(0, size), kPath); }));
}

TEST_F(SentencePieceTest, RefusesDamagedContentOnOneLine) {
  testing::internal::CaptureStderr();
  // The first piece's message: its text has the wrong wire type, then its text is empty.
  std::string damaged = bytes_;
  damaged[2] = 0x0F;
  EXPECT_TRUE(test::refuses("its content is damaged", [&] { SentencePiece(damaged, kPath); }));
  EXPECT_TRUE(test::refuses("it is neither", [&] { SentencePiece("hello world\n", kPath); }));
  EXPECT_TRUE(test::refuses("it is damaged", [&] { SentencePiece(bytes_ + "\xFFzz", kPath); }));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace simba
