#include "csrc/tokenizer/bpe_merge.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <tuple>

namespace simba {
namespace {

constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
constexpr std::int32_t kNone = -1;

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

// A symbol of the word as a list node; one that was merged into its left neighbour has id kNone.
struct Symbol {
  std::int32_t id, previous, next;
};

// A merge that was possible when it was noted: `left` and `right` are the ids it was noted for.
struct Candidate {
  std::int32_t rank, position, left, right, merged;
  bool operator>(const Candidate& other) const {
    return std::tie(rank, position) > std::tie(other.rank, other.position);
  }
};

}  // namespace

BpeMerges::BpeMerges(std::size_t count)
    : table_(std::bit_ceil(2 * count + 2), Rule{kEmpty, 0, 0}) {}

std::size_t BpeMerges::slot_of(std::uint64_t pair) const {
  const std::size_t mask = table_.size() - 1;
  // Fibonacci hashing; the product's high half mixes both ids.
  std::size_t slot = (pair * 0x9E3779B97F4A7C15u >> 32) & mask;
  while (table_[slot].pair != pair && table_[slot].pair != kEmpty) slot = (slot + 1) & mask;
  return slot;
}

void BpeMerges::set(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged) {
  const std::uint64_t pair = pair_key(left, right);
  table_[slot_of(pair)] = {pair, rank, merged};
}

const BpeMerges::Rule* BpeMerges::find(std::int32_t left, std::int32_t right) const {
  const Rule& rule = table_[slot_of(pair_key(left, right))];
  return rule.pair == kEmpty ? nullptr : &rule;
}

void BpeMerges::apply(std::vector<std::int32_t>& symbols) const {
  const auto count = static_cast<std::int32_t>(symbols.size());
  std::vector<Symbol> list(symbols.size());
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto note = [&](std::int32_t position) {
    const std::int32_t next = list[position].next;
    if (next == kNone) return;
    const std::int32_t left = list[position].id, right = list[next].id;
    if (const Rule* rule = find(left, right)) {
      candidates.push({rule->rank, position, left, right, rule->merged});
    }
  };

  for (std::int32_t i = 0; i < count; ++i) {
    list[i] = {symbols[i], i - 1, i + 1 < count ? i + 1 : kNone};
  }
  for (std::int32_t i = 0; i < count; ++i) note(i);

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = list[best.position];
    if (left.id != best.left || left.next == kNone || list[left.next].id != best.right) continue;
    Symbol& right = list[left.next];
    left.id = best.merged;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) list[left.next].previous = best.position;
    if (left.previous != kNone) note(left.previous);
    note(best.position);
  }

  symbols.clear();
  for (std::int32_t i = count == 0 ? kNone : 0; i != kNone; i = list[i].next) {
    symbols.push_back(list[i].id);
  }
}

}  // namespace simba
