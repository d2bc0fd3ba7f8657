#include "csrc/tokenizer/byte_level_bpe.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/cpp/refusal.h"
#include "tests/cpp/tokenizer/small_tokenizer.h"

namespace simba {
namespace {

using Ids = std::vector<std::int64_t>;
using nlohmann::json;
using test::added_token;
using test::load;
using test::refuses;
using test::small_tokenizer;

TEST(ByteLevelBpe, MergesTheBytesOfEachWord) {
  const auto tokenizer = load(small_tokenizer());
  EXPECT_EQ(tokenizer->encode(""), Ids{});
  EXPECT_EQ(tokenizer->encode("hello"), Ids{259});
  EXPECT_EQ(tokenizer->encode("hello hello"), (Ids{259, 260}));
  EXPECT_EQ(tokenizer->encode("shell"), (Ids{'s', 258}));
  EXPECT_EQ(tokenizer->encode("he's"), (Ids{256, 262}));
  EXPECT_EQ(tokenizer->encode("hello12"), (Ids{259, 264}));
  // The pattern parts "1 2": merges never cross words.
  EXPECT_EQ(tokenizer->encode("1 2"), (Ids{'1', ' ', '2'}));
}

TEST(ByteLevelBpe, FallsBackToBytes) {
  const auto tokenizer = load(small_tokenizer());
  EXPECT_EQ(tokenizer->encode("€"), (Ids{0xE2, 0x82, 0xAC}));
  EXPECT_EQ(tokenizer->encode(std::string_view("a\0b", 3)), (Ids{'a', 0, 'b'}));
}

TEST(ByteLevelBpe, NormalizesOnlyWhereTheFileSaysSo) {
  json file = small_tokenizer();
  EXPECT_EQ(load(file)->encode("e\u0301"), Ids{263});
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  EXPECT_EQ(load(file)->encode("e\u0301"), Ids{263});
  for (const json& none :
       {json(nullptr), json({{"type", "Sequence"}, {"normalizers", json::array()}})}) {
    file["normalizer"] = none;
    EXPECT_EQ(load(file)->encode("e\u0301"), (Ids{'e', 0xCC, 0x81}));
  }
}

TEST(ByteLevelBpe, CutsAddedTokensOutFirst) {
  const auto tokenizer = load(small_tokenizer());
  EXPECT_EQ(tokenizer->encode("hello<|endoftext|>hello"), (Ids{259, 265, 259}));
  EXPECT_EQ(tokenizer->encode("<|endoftext"),
            (Ids{'<', '|', 'e', 'n', 'd', 'o', 'f', 't', 'e', 'x', 't'}));
  // Three blanks, then two: the merge to 261 never sees them. A single one goes with the word.
  EXPECT_EQ(tokenizer->encode("     hello"), (Ids{266, 267, 259}));
  EXPECT_EQ(tokenizer->encode("    hello"), (Ids{266, 260}));
}

TEST(ByteLevelBpe, LooksForNormalizedTokensInNormalizedText) {
  json file = small_tokenizer();
  json token = added_token(268, "e\u0301€");
  token["normalized"] = true;
  file["added_tokens"].push_back(token);
  const auto normalized = load(file);
  EXPECT_EQ(normalized->encode("\u00e9€"), Ids{268});
  EXPECT_EQ(normalized->encode("e\u0301€"), Ids{268});
  EXPECT_EQ(normalized->decode({268}), "\u00e9€");
  EXPECT_EQ(normalized->piece(268), "e\u0301€");

  file["added_tokens"].back()["normalized"] = false;
  const auto exact = load(file);
  EXPECT_EQ(exact->encode("e\u0301€"), Ids{268});
  EXPECT_EQ(exact->encode("\u00e9€"), (Ids{263, 0xE2, 0x82, 0xAC}));
  EXPECT_EQ(exact->decode({268}), "e\u0301€");
}

TEST(ByteLevelBpe, AnAddedTokenOfOneByteLeavesThatByteAlone) {
  json file = small_tokenizer();
  file["added_tokens"].push_back(added_token('x', "x"));
  EXPECT_EQ(load(file)->encode("axb"), (Ids{'a', 'x', 'b'}));
}

TEST(ByteLevelBpe, AddsThePrefixSpaceToEveryStretchBetweenAddedTokens) {
  json file = small_tokenizer();
  file["pre_tokenizer"]["add_prefix_space"] = true;
  const auto tokenizer = load(file);
  EXPECT_EQ(tokenizer->encode("hello"), Ids{260});
  EXPECT_EQ(tokenizer->encode(" hello"), Ids{260});
  EXPECT_EQ(tokenizer->encode("hello<|endoftext|>hello"), (Ids{260, 265, 260}));
  EXPECT_EQ(tokenizer->encode(""), Ids{});
}

TEST(ByteLevelBpe, WithoutTheRegexAStretchIsOneWord) {
  json file = small_tokenizer();
  file["model"]["vocab"]["o1"] = 265;
  file["model"]["merges"].push_back("o 1");
  file["added_tokens"] = {added_token(266, "<|endoftext|>")};
  EXPECT_EQ(load(file)->encode("o1"), (Ids{'o', '1'}));
  file["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(load(file)->encode("o1"), Ids{265});
}

TEST(ByteLevelBpe, IgnoreMergesTakesAWordOfTheVocabularyAsItIs) {
  json file = small_tokenizer();
  file["model"]["vocab"]["world"] = 265;
  file["added_tokens"] = {added_token(266, "<|endoftext|>")};
  EXPECT_EQ(load(file)->encode("world"), (Ids{'w', 'o', 'r', 'l', 'd'}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(file)->encode("world"), Ids{265});
  EXPECT_EQ(load(file)->encode("worlds"), (Ids{'w', 'o', 'r', 'l', 'd', 's'}));
}

TEST(ByteLevelBpe, MergesAreStringsOrPairs) {
  json file = small_tokenizer();
  for (json& merge : file["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    const std::size_t blank = text.find(' ');
    merge = {text.substr(0, blank), text.substr(blank + 1)};
  }
  EXPECT_EQ(load(file)->encode("hello hello"), (Ids{259, 260}));
}

TEST(ByteLevelBpe, RefusesInvalidUtf8NamingTheOffset) {
  const auto tokenizer = load(small_tokenizer());
  EXPECT_TRUE(refuses("byte offset 2 holds 0xFF", [&] { tokenizer->encode("ab\xFFz"); }));
  EXPECT_TRUE(refuses("byte offset 0 holds 0xE2", [&] { tokenizer->encode("\xE2\x82"); }));
}

TEST(ByteLevelBpe, DecodesToTheTextItCameFrom) {
  const auto tokenizer = load(small_tokenizer());
  for (const std::string text : {"", "hello  hello's\n\t", "<|endoftext|>   é€😀 12", "    "}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
  EXPECT_EQ(tokenizer->decode({'a', 0xE2, 0x82, 'b', 0xFF}), "a\uFFFDb\uFFFD");
}

TEST(ByteLevelBpe, KnowsItsPieces) {
  const auto tokenizer = load(small_tokenizer());
  EXPECT_EQ(tokenizer->vocab_size(), 268);
  EXPECT_EQ(tokenizer->document_start(), 265);
  EXPECT_EQ(tokenizer->piece(260), "Ġhello");
  EXPECT_EQ(tokenizer->piece(265), "<|endoftext|>");
  EXPECT_TRUE(refuses("expected 0 to 267, got 268", [&] { tokenizer->piece(268); }));
  EXPECT_TRUE(refuses("expected 0 to 267, got -1", [&] { tokenizer->decode({-1}); }));
}

TEST(ByteLevelBpe, NeedsEveryByteAndADocumentStart) {
  json file = small_tokenizer();
  file["added_tokens"] = json::array();
  EXPECT_TRUE(refuses("<|endoftext|>", [&] { load(file); }));
  file = small_tokenizer();
  file["model"]["vocab"].erase("q");
  file["added_tokens"] = {added_token(264, "<|endoftext|>")};
  file["model"]["vocab"]["12"] = 'q';
  EXPECT_TRUE(refuses("none for byte 113", [&] { load(file); }));
}

TEST(ByteLevelBpe, EncodesFromSeveralThreads) {
  const auto tokenizer = load(small_tokenizer());
  std::string text;
  for (int i = 0; i < 2000; ++i) text += " hello " + std::to_string(i % 700) + " he's\n";
  const Ids expected = load(small_tokenizer())->encode(text);
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&] { result = tokenizer->encode(text); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace simba
