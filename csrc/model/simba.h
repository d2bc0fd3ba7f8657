// simba::Simba: a pretrained Mamba-1 language model that drops tokens layer by layer while it reads
// its context (arXiv 2505.20698). With a dense plan it is the Mamba it was made from.
#pragma once

#include <memory>
#include <vector>

#include "csrc/model/language_model.h"
#include "csrc/model/mamba_block.h"
#include "csrc/model/mamba_config.h"
#include "csrc/model/mamba_weights.h"

namespace simba {

class Simba final : public LanguageModel {
 public:
  Simba(MambaConfig config, MambaWeights weights);

  Prefill prefill(const PackedTokens& tokens, const PruningPlan& plan,
                  Observer* observer = nullptr) override;
  at::Tensor extend(State& state, const PackedTokens& tokens,
                    Observer* observer = nullptr) override;
  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override;

  std::int64_t n_layer() const override { return config_.n_layer; }
  std::int64_t vocab_size() const override { return config_.vocab_size; }
  at::ScalarType dtype() const override { return weights_.embedding.scalar_type(); }
  at::Device device() const override { return weights_.embedding.device(); }
  const MambaConfig& config() const { return config_; }

 private:
  Tokens embed(const PackedTokens& packed, const std::vector<std::int64_t>& first_positions) const;
  Tokens run_layers(Tokens tokens, const PruningPlan& plan, std::vector<MambaLayerState>& state,
                    Observer* observer) const;
  at::Tensor logits(const Tokens& tokens) const;

  MambaConfig config_;
  MambaWeights weights_;
  std::vector<MambaBlock> layers_;
};

}  // namespace simba
