// Baseline: a random subset that always holds the last token, keyed by seed, document and layer, so
// that it depends neither on the batch nor on the order of documents.
#include <algorithm>

#include "csrc/model/criteria/criteria.h"
#include "csrc/model/splitmix64.h"

namespace simba {
namespace {

class Random final : public Criterion {
 public:
  explicit Random(std::int64_t seed) : seed_(seed) {}

  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t layer,
              const std::vector<std::int64_t>& documents) const override {
    std::vector<std::int64_t> chosen;
    std::int64_t begin = 0;
    for (std::size_t s = 0; s < keep.size(); ++s) {
      const std::int64_t n = inputs.lengths[s];
      append_subset(begin, n, keep[s], key(documents[s], layer), chosen);
      begin += n;
    }
    return keep_positions(inputs, chosen, keep);
  }

  std::string name() const override { return "random(seed=" + std::to_string(seed_) + ")"; }

 private:
  std::uint64_t key(std::int64_t document, std::int64_t layer) const {
    const std::uint64_t seeded = splitmix64(static_cast<std::uint64_t>(seed_));
    return splitmix64(splitmix64(seeded ^ static_cast<std::uint64_t>(document)) ^
                      static_cast<std::uint64_t>(layer));
  }

  static void append_subset(std::int64_t begin, std::int64_t n, std::int64_t keep,
                            std::uint64_t key, std::vector<std::int64_t>& chosen) {
    if (keep == 0) return;
    std::vector<std::pair<std::uint64_t, std::int64_t>> draws;
    for (std::int64_t i = 0; i + 1 < n; ++i) {
      draws.emplace_back(splitmix64(key ^ splitmix64(static_cast<std::uint64_t>(i))), begin + i);
    }
    const std::int64_t others = keep - 1;
    std::nth_element(draws.begin(), draws.begin() + others, draws.end());
    const std::size_t first = chosen.size();
    for (std::int64_t i = 0; i < others; ++i) chosen.push_back(draws[i].second);
    std::sort(chosen.begin() + static_cast<std::ptrdiff_t>(first), chosen.end());
    chosen.push_back(begin + n - 1);
  }

  std::int64_t seed_;
};

}  // namespace

std::shared_ptr<const Criterion> make_random(const CriterionOptions& options) {
  return std::make_shared<Random>(options.seed);
}

}  // namespace simba
