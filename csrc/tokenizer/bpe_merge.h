// Byte-pair encoding: the ordered list of merges and its application to one word
// (Sennrich et al. 2016, arXiv 1508.07909).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace simba {

class BpeMerges {
 public:
  explicit BpeMerges(std::size_t count);

  // The pair (left, right) becomes `merged`; lower ranks go first. At most `count` different pairs;
  // a pair given again replaces the former rule.
  void set(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged);

  // Merges in place until no pair of neighbours has a rule: always the lowest rank, leftmost among
  // equals. O(n log n) in the number of symbols.
  void apply(std::vector<std::int32_t>& symbols) const;

 private:
  struct Rule {
    std::uint64_t pair;
    std::int32_t rank;
    std::int32_t merged;
  };

  std::size_t slot_of(std::uint64_t pair) const;
  const Rule* find(std::int32_t left, std::int32_t right) const;

  std::vector<Rule> table_;  // open addressing, a power of two, at most half full
};

}  // namespace simba
