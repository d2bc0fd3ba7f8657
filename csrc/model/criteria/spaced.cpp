// Baseline: evenly spaced tokens (the paper's "uniform"): the i-th of k among n is floor((i + 1) n
// / k) - 1.
#include "csrc/model/criteria/criteria.h"

namespace simba {
namespace {

class Spaced final : public Criterion {
 public:
  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t,
              const std::vector<std::int64_t>&) const override {
    std::vector<std::int64_t> chosen;
    std::int64_t begin = 0;
    for (std::size_t s = 0; s < keep.size(); ++s) {
      const std::int64_t n = inputs.lengths[s];
      for (std::int64_t i = 0; i < keep[s]; ++i)
        chosen.push_back(begin + (i + 1) * n / keep[s] - 1);
      begin += n;
    }
    return keep_positions(inputs, chosen, keep);
  }
  std::string name() const override { return "spaced"; }
};

}  // namespace

std::shared_ptr<const Criterion> make_spaced(const CriterionOptions&) {
  return std::make_shared<Spaced>();
}

}  // namespace simba
