#include "csrc/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"
#include "tests/cpp/tokenizer/small_tokenizer.h"

namespace simba {
namespace {

using test::refuses;
using test::TemporaryFolder;

const std::string kSentencePiece = SIMBA_SOURCE_DIR "/examples/demo/model/tokenizer.model";

TEST(LoadTokenizer, GoesByContentNotByName) {
  const TemporaryFolder folder;
  const std::string json = folder.write("a.model", "\n  " + test::small_tokenizer().dump(2));
  EXPECT_EQ(load_tokenizer(json)->document_start(), 265);
  EXPECT_EQ(load_tokenizer(kSentencePiece)->document_start(), 1);
}

TEST(LoadTokenizer, RefusesWhatIsNoTokenizer) {
  const TemporaryFolder folder;
  const auto refuses_file = [&](const std::string& words, const std::string& content) {
    const std::string path = folder.write("file", content);
    return refuses(path + ": expected " + words, [&] { load_tokenizer(path); });
  };
  EXPECT_TRUE(refuses_file("a tokenizer, the file is empty", ""));
  EXPECT_TRUE(refuses_file("a SentencePiece model or a tokenizer.json, it is neither", "hello\n"));
  EXPECT_TRUE(refuses_file("a SentencePiece model or a tokenizer.json, it is neither", "[1, 2]"));
  EXPECT_TRUE(refuses_file("JSON", "{\"version\""));
  EXPECT_TRUE(refuses("there is none", [&] { load_tokenizer(folder / "absent"); }));
  EXPECT_TRUE(refuses("there is something else", [&] { load_tokenizer(folder.path()); }));
}

TEST(FindTokenizer, PrefersTheSentencePieceModel) {
  const TemporaryFolder folder;
  EXPECT_EQ(find_tokenizer(folder.path()), std::nullopt);
  EXPECT_EQ(find_tokenizer(folder / "absent"), std::nullopt);
  const std::string json = folder.write("tokenizer.json", "{}");
  EXPECT_EQ(find_tokenizer(folder.path()), json);
  const std::string model = folder.write("tokenizer.model", "x");
  EXPECT_EQ(find_tokenizer(folder.path()), model);
}

}  // namespace
}  // namespace simba
