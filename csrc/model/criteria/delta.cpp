// Criteria that rank tokens by the size of their own Delta = softplus(delta + bias): its L2 norm
// over channels (DeciMamba, arXiv 2406.14528), or its mean.
#include <ATen/ops/add.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/softplus.h>

#include "csrc/model/by_rows.h"
#include "csrc/model/criteria/criteria.h"

namespace simba {
namespace {

at::Tensor discretised_delta(const SsmInputs& inputs) {
  const at::Tensor delta =
      at::add(inputs.delta.to(inputs.delta_bias.scalar_type()), inputs.delta_bias);
  // at::softplus turns linear above its threshold; 20 is where float32 cannot tell the difference.
  by_rows(delta.squeeze(0), [](at::Tensor part) { at::softplus_out(part, part); });
  return delta;
}

class DeltaNorm final : public Criterion {
 public:
  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t,
              const std::vector<std::int64_t>&) const override {
    return keep_highest(inputs, at::linalg_vector_norm(discretised_delta(inputs), 2, {-1}), keep);
  }
  std::string name() const override { return "delta_norm"; }
};

class DeltaMean final : public Criterion {
 public:
  Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep, std::int64_t,
              const std::vector<std::int64_t>&) const override {
    return keep_highest(inputs, discretised_delta(inputs).mean(-1), keep);
  }
  std::string name() const override { return "delta"; }
};

}  // namespace

std::shared_ptr<const Criterion> make_delta_norm(const CriterionOptions&) {
  return std::make_shared<DeltaNorm>();
}

std::shared_ptr<const Criterion> make_delta(const CriterionOptions&) {
  return std::make_shared<DeltaMean>();
}

}  // namespace simba
