// The paper's criterion: a token's influence on the last token of the same layer (Eq. 4).
#include "csrc/input_error.h"
#include "csrc/model/criteria/criteria.h"
#include "csrc/model/operators.h"

namespace simba {
namespace {

void check_option(const char* name, const std::string& value,
                  const std::vector<std::string>& known) {
  std::string names;
  for (const std::string& option : known) {
    if (value == option) return;
    names += (names.empty() ? "" : ", ") + option;
  }
  throw InputError(std::string(name) + ": expected one of " + names + ", got '" + value + "'");
}

class Influence final : public Criterion {
 public:
  Influence(std::string decay, std::string reduction)
      : decay_(std::move(decay)), reduction_(std::move(reduction)) {
    check_option("decay", decay_, {"no_bias", "full", "none"});
    check_option("reduction", reduction_, {"max", "l2", "l1", "signed_max"});
  }

  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t,
              const std::vector<std::int64_t>&) const override {
    const at::Tensor scores =
        ops::influence_scores(inputs.u, inputs.delta, inputs.A, inputs.B, inputs.C,
                              inputs.delta_bias, inputs.cu_seqlens, decay_, reduction_);
    return keep_highest(inputs, scores, keep);
  }

  std::string name() const override {
    return "influence(decay=" + decay_ + ",reduction=" + reduction_ + ")";
  }

  bool uses_influence() const override { return true; }

 private:
  std::string decay_;
  std::string reduction_;
};

}  // namespace

std::shared_ptr<const Criterion> make_influence(const CriterionOptions& options) {
  return std::make_shared<Influence>(options.decay, options.reduction);
}

}  // namespace simba
