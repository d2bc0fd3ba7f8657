#include "csrc/tokenizer/word_cache.h"

#include <gtest/gtest.h>

namespace simba {
namespace {

using Ids = std::vector<std::int64_t>;

TEST(WordCache, AppendsWhatItWasGiven) {
  WordCache cache;
  Ids ids = {9};
  EXPECT_FALSE(cache.append("word", ids));
  cache.insert("word", {1, 2});
  EXPECT_TRUE(cache.append("word", ids));
  EXPECT_FALSE(cache.append("ward", ids));
  EXPECT_EQ(ids, (Ids{9, 1, 2}));
}

TEST(WordCache, LeavesLongWordsOut) {
  WordCache cache;
  Ids ids;
  const std::string limit(WordCache::kMaxWordBytes, 'a');
  cache.insert(limit, {1});
  cache.insert(limit + "a", {1});
  EXPECT_TRUE(cache.append(limit, ids));
  EXPECT_FALSE(cache.append(limit + "a", ids));
}

TEST(WordCache, HoldsNoMoreWordsThanItsBound) {
  WordCache cache;
  const auto count = static_cast<std::int32_t>(2 * WordCache::kMaxWords);
  for (std::int32_t i = 0; i < count; ++i) cache.insert(std::to_string(i), {i});
  std::size_t held = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    Ids ids;
    if (!cache.append(std::to_string(i), ids)) continue;
    ++held;
    ASSERT_EQ(ids, Ids{i});
  }
  EXPECT_GT(held, 0u);
  EXPECT_LE(held, WordCache::kMaxWords);
}

}  // namespace
}  // namespace simba
