#include "csrc/tokenizer/bpe_merge.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>

namespace simba {
namespace {

using Symbols = std::vector<std::int32_t>;
using Rules =
    std::map<std::pair<std::int32_t, std::int32_t>, std::pair<std::int32_t, std::int32_t>>;

// The definition: the leftmost pair of the lowest rank is merged, again and again.
Symbols merged_slowly(const Rules& rules, Symbols symbols) {
  while (true) {
    std::size_t best = symbols.size();
    std::pair<std::int32_t, std::int32_t> rule;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = rules.find({symbols[i], symbols[i + 1]});
      if (found != rules.end() && (best == symbols.size() || found->second.first < rule.first)) {
        best = i;
        rule = found->second;
      }
    }
    if (best == symbols.size()) return symbols;
    symbols[best] = rule.second;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(BpeMerges, EqualsItsDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    // Ids 0 to 3 are letters; every rule makes a new id of two earlier ones.
    Rules rules;
    BpeMerges merges(30);
    for (std::int32_t rank = 0; rank < 30; ++rank) {
      const std::int32_t left = static_cast<std::int32_t>(random() % (4 + rank));
      const std::int32_t right = static_cast<std::int32_t>(random() % (4 + rank));
      rules[{left, right}] = {rank, 4 + rank};
      merges.set(left, right, rank, 4 + rank);
    }
    for (int word = 0; word < 50; ++word) {
      Symbols symbols(random() % 40);
      for (std::int32_t& symbol : symbols) symbol = static_cast<std::int32_t>(random() % 4);
      const Symbols expected = merged_slowly(rules, symbols);
      merges.apply(symbols);
      ASSERT_EQ(symbols, expected);
    }
  }
}

TEST(BpeMerges, TakesTheLeftmostOfEqualPairs) {
  BpeMerges merges(1);
  merges.set(0, 0, 0, 1);
  Symbols symbols = {0, 0, 0, 0, 0};
  merges.apply(symbols);
  EXPECT_EQ(symbols, (Symbols{1, 1, 0}));
}

TEST(BpeMerges, HandlesAWordOfAMillionSymbols) {
  BpeMerges merges(2);
  merges.set(0, 0, 0, 1);
  merges.set(1, 1, 1, 2);
  Symbols symbols(1'000'000, 0);
  merges.apply(symbols);
  EXPECT_EQ(symbols, Symbols(250'000, 2));
}

TEST(BpeMerges, WithoutRulesChangesNothing) {
  const BpeMerges merges(0);
  Symbols symbols = {3, 1, 2}, none;
  merges.apply(symbols);
  merges.apply(none);
  EXPECT_EQ(symbols, (Symbols{3, 1, 2}));
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace simba
