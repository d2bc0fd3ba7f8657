#include "csrc/tokenizer/tokenizer_json.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"
#include "tests/cpp/tokenizer/small_tokenizer.h"

namespace simba {
namespace {

using nlohmann::json;
using test::added_token;
using test::refuses;
using test::small_tokenizer;

TEST(TokenizerJson, ReadsWhatAByteLevelBpeNeeds) {
  const TokenizerJson file = read_tokenizer_json(small_tokenizer().dump(), "tokenizer.json");
  EXPECT_TRUE(file.nfc);
  EXPECT_TRUE(file.use_regex);
  EXPECT_FALSE(file.add_prefix_space);
  EXPECT_FALSE(file.ignore_merges);
  EXPECT_EQ(file.pieces.size(), 265u);
  ASSERT_EQ(file.merges.size(), 9u);
  EXPECT_EQ(file.merges[2].left, 256);
  EXPECT_EQ(file.merges[2].right, 257);
  EXPECT_EQ(file.merges[2].merged, 258);
  ASSERT_EQ(file.added_tokens.size(), 3u);
  EXPECT_EQ(file.added_tokens[0].content, "<|endoftext|>");
  EXPECT_TRUE(file.added_tokens[1].normalized);
}

TEST(TokenizerJson, AcceptsWhatCannotChangeTheIds) {
  json file = small_tokenizer();
  file["model"]["unk_token"] = "<unk>";
  file["model"]["byte_fallback"] = true;
  file["model"]["fuse_unk"] = true;
  file["model"]["dropout"] = 0.0;
  file["model"]["end_of_word_suffix"] = "";
  file["post_processor"] = {{"type", "TemplateProcessing"}};
  file["model"].erase("type");
  file["model"]["merges"].insert(file["model"]["merges"].begin(), "#version: 0.2");
  EXPECT_EQ(read_tokenizer_json(file.dump(), "tokenizer.json").merges.size(), 9u);
}

// One change to a good file, and words of the refusal that must follow.
struct Malformed {
  const char* name;
  void (*change)(json&);
  const char* words;
};

class MalformedTokenizerJson : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedTokenizerJson, IsRefusedOnOneLine) {
  json file = small_tokenizer();
  GetParam().change(file);
  EXPECT_TRUE(refuses(GetParam().words, [&] { read_tokenizer_json(file.dump(), "a/b.json"); }));
  EXPECT_TRUE(refuses("a/b.json: ", [&] { read_tokenizer_json(file.dump(), "a/b.json"); }));
}

const Malformed kMalformed[] = {
    {"Array", [](json& f) { f = json::array(); }, "expected an object, got an array"},
    {"Version", [](json& f) { f["version"] = "2.0"; }, "version: expected \"1.0\", got \"2.0\""},
    {"Truncation",
     [](json& f) {
       f["truncation"] = {{"max_length", 9}};
     },
     "truncation: expected null"},
    {"Padding", [](json& f) { f["padding"] = json::object(); }, "padding: expected null"},
    {"Normalizer", [](json& f) { f["normalizer"]["type"] = "Lowercase"; },
     "normalizer: expected the type NFC or Sequence, got \"Lowercase\""},
    {"NormalizerInSequence",
     [](json& f) {
       f["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFKC"}}}}};
     },
     "normalizer.normalizers: expected the type NFC, got \"NFKC\""},
    {"NormalizerSequence",
     [](json& f) {
       f["normalizer"] = {{"type", "Sequence"}};
     },
     "normalizer.normalizers: expected an array, got null"},
    {"PreTokenizer", [](json& f) { f["pre_tokenizer"]["type"] = "Metaspace"; },
     "pre_tokenizer: expected the type ByteLevel, got \"Metaspace\""},
    {"NoPreTokenizer", [](json& f) { f.erase("pre_tokenizer"); },
     "pre_tokenizer: expected the type ByteLevel, got null"},
    {"PrefixSpace", [](json& f) { f["pre_tokenizer"].erase("add_prefix_space"); },
     "pre_tokenizer.add_prefix_space: expected true or false, got null"},
    {"UseRegex", [](json& f) { f["pre_tokenizer"]["use_regex"] = 1; },
     "pre_tokenizer.use_regex: expected true or false, got 1"},
    {"PostProcessor", [](json& f) { f["post_processor"]["type"] = "BertProcessing"; },
     "post_processor: expected the type ByteLevel or TemplateProcessing, got \"BertProcessing\""},
    {"Decoder", [](json& f) { f["decoder"] = nullptr; },
     "decoder: expected the type ByteLevel, got null"},
    {"NoModel", [](json& f) { f.erase("model"); }, "model: expected an object, got null"},
    {"Model", [](json& f) { f["model"]["type"] = "Unigram"; },
     "model: expected the type BPE, got \"Unigram\""},
    {"Dropout", [](json& f) { f["model"]["dropout"] = 0.1; },
     "model.dropout: expected null or 0, got 0.1"},
    {"Prefix", [](json& f) { f["model"]["continuing_subword_prefix"] = "##"; },
     "model.continuing_subword_prefix: expected null or empty, got \"##\""},
    {"Suffix", [](json& f) { f["model"]["end_of_word_suffix"] = "</w>"; },
     "model.end_of_word_suffix: expected null or empty, got \"</w>\""},
    {"IgnoreMerges", [](json& f) { f["model"]["ignore_merges"] = "yes"; },
     "model.ignore_merges: expected true or false, got \"yes\""},
    {"NoVocabulary", [](json& f) { f["model"]["vocab"] = json::object(); },
     "model.vocab: expected an object of pieces and ids"},
    {"NegativeId", [](json& f) { f["model"]["vocab"]["he"] = -1; },
     "model.vocab[\"he\"]: expected an id from 0 to 10000000, got -1"},
    {"HugeId", [](json& f) { f["model"]["vocab"]["he"] = 1'000'000'000'000; }, "got 1000000000000"},
    {"HalfId", [](json& f) { f["model"]["vocab"]["he"] = 256.5; }, "got 256.5"},
    {"IdTwice", [](json& f) { f["model"]["vocab"]["he"] = 257; },
     "model.vocab[\"ll\"]: expected an id of its own, got 257, that of \"he\""},
    {"EmptyPiece", [](json& f) { f["model"]["vocab"][""] = 900; },
     "expected pieces of text, got an empty one"},
    {"Merges", [](json& f) { f["model"]["merges"] = "h e"; }, "model.merges: expected an array"},
    {"MergeOfThree", [](json& f) { f["model"]["merges"][3] = "a b c"; },
     "model.merges[3]: expected \"a b\" or [\"a\", \"b\"], got \"a b c\""},
    {"MergeOfOne", [](json& f) { f["model"]["merges"][3] = json{"a"}; },
     "model.merges[3]: expected"},
    {"MergeUnknown", [](json& f) { f["model"]["merges"][3] = "he zz"; },
     "model.merges[3]: expected a piece of the vocabulary, got \"zz\""},
    {"MergeResultUnknown", [](json& f) { f["model"]["merges"][3] = "ll ll"; },
     "model.merges[3]: expected a piece of the vocabulary, got \"llll\""},
    {"AddedTokens", [](json& f) { f["added_tokens"] = 3; },
     "added_tokens: expected an array, got 3"},
    {"AddedToken", [](json& f) { f["added_tokens"][1] = "x"; },
     "added_tokens[1]: expected an object"},
    {"AddedTokenEmpty", [](json& f) { f["added_tokens"][1]["content"] = ""; },
     "added_tokens[1].content: expected text, got \"\""},
    {"AddedTokenId", [](json& f) { f["added_tokens"][1]["id"] = 300; },
     "added_tokens[1].id: expected 266 for \"   \", got 300"},
    {"AddedTokenIdOfVocabulary", [](json& f) { f["added_tokens"][1]["content"] = "he"; },
     "added_tokens[1].id: expected 256 for \"he\", got 266"},
    {"AddedTokenTwice", [](json& f) { f["added_tokens"][1]["content"] = "<|endoftext|>"; },
     "added_tokens[1].content: expected a token once only"},
    {"AddedTokenFlag", [](json& f) { f["added_tokens"][1].erase("lstrip"); },
     "added_tokens[1].lstrip: expected true or false, got null"},
    {"LongValue", [](json& f) { f["version"] = std::string(1000, 'x') + "\n"; }, "xxx..."},
};

INSTANTIATE_TEST_SUITE_P(Files, MalformedTokenizerJson, testing::ValuesIn(kMalformed),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(TokenizerJson, RefusesEveryTruncation) {
  const std::string whole = small_tokenizer().dump();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_TRUE(refuses("it breaks off or is malformed at byte",
                        [&] { read_tokenizer_json(whole.substr(0, size), "tokenizer.json"); }));
  }
}

TEST(TokenizerJson, RefusesNestingOfAnyDepth) {
  const std::string deep(200'000, '[');
  const std::string text = "{\"version\":" + deep + std::string(deep.size(), ']') + "}";
  EXPECT_TRUE(refuses("got an array", [&] { read_tokenizer_json(text, "tokenizer.json"); }));
}

TEST(TokenizerJson, RefusesNumbersOutOfRangeAndInvalidUtf8) {
  EXPECT_TRUE(refuses("numbers in range", [&] { read_tokenizer_json("{\"a\":1e999}", "t"); }));
  EXPECT_TRUE(refuses("malformed at byte", [&] { read_tokenizer_json("{\"\xFF\":1}", "t"); }));
}

}  // namespace
}  // namespace simba
