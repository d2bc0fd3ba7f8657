// The shape of a GPT-NeoX model: a configuration without weights.
#pragma once

#include "csrc/model/gpt_neox/config.h"
#include "csrc/model/model_shape.h"

namespace simba {

std::int64_t gpt_neox_parameters(const GptNeoXConfig& config);

// By the counts of flops.h, attention over the T (T + 1) / 2 causal pairs for the scores and again
// for the values. Throws InputError unless the plan is dense.
FlopCount gpt_neox_flops(const GptNeoXConfig& config, std::int64_t T, const PruningPlan& plan,
                         std::int64_t continuation);

// Tokens are dropped only where a state carries what they said: GPT-NeoX reads every one. Throws
// InputError naming the plan.
void check_dense(const PruningPlan& plan);

class GptNeoXShape final : public ModelShape {
 public:
  explicit GptNeoXShape(const GptNeoXConfig& config) : config_(config) {}

  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override {
    return gpt_neox_flops(config_, T, plan, continuation);
  }
  std::int64_t n_layer() const override { return config_.n_layer; }
  std::int64_t vocab_size() const override { return config_.vocab_size; }
  std::int64_t parameters() const override { return gpt_neox_parameters(config_); }
  std::optional<std::int64_t> max_length() const override { return config_.max_length; }
  std::string family() const override { return "gpt_neox"; }

 private:
  GptNeoXConfig config_;
};

}  // namespace simba
