// Baseline: the newest tokens.
#include "csrc/model/criteria/criteria.h"

namespace simba {
namespace {

class Recent final : public Criterion {
 public:
  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t,
              const std::vector<std::int64_t>&) const override {
    std::vector<std::int64_t> chosen;
    std::int64_t end = 0;
    for (std::size_t s = 0; s < keep.size(); ++s) {
      end += inputs.lengths[s];
      for (std::int64_t i = end - keep[s]; i < end; ++i) chosen.push_back(i);
    }
    return keep_positions(inputs, chosen, keep);
  }
  std::string name() const override { return "recent"; }
};

}  // namespace

std::shared_ptr<const Criterion> make_recent(const CriterionOptions&) {
  return std::make_shared<Recent>();
}

}  // namespace simba
