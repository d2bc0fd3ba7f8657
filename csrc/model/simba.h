// simba::Simba: a pretrained Mamba-1 language model that drops tokens layer by layer while it reads
// its context (arXiv 2505.20698). With a dense plan it is the Mamba it was made from.
#pragma once

#include <memory>
#include <vector>

#include "csrc/model/language_model.h"
#include "csrc/model/mamba_block.h"
#include "csrc/model/mamba_config.h"
#include "csrc/model/mamba_shape.h"
#include "csrc/model/mamba_weights.h"
#include "csrc/model/prefill_graphs.h"

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

  // One more token of every sequence: ids (S) int64 on the model's device. Of the states, ssm is
  // advanced in place, conv in place or replaced. Returns the logits (S, V), of the type of
  // extend's. Waits for nothing, so that it can be captured in a CUDA graph.
  at::Tensor step(const at::Tensor& ids, std::vector<MambaLayerState>& layers) const;

  // States of S sequences that have read nothing: zeros.
  std::vector<MambaLayerState> empty_state(std::int64_t sequences) const;

  // Prefills without an observer and without forced indices go through `graphs` from now on (null:
  // none do); on the CPU too, where its Capture says what that means.
  void capture_prefills(std::shared_ptr<PrefillGraphs> graphs) { graphs_ = std::move(graphs); }

  std::int64_t n_layer() const override { return config_.n_layer; }
  std::int64_t vocab_size() const override { return config_.vocab_size; }
  std::int64_t parameters() const override { return mamba_parameters(config_); }
  std::optional<std::int64_t> max_length() const override { return std::nullopt; }
  std::string family() const override { return "mamba"; }
  at::ScalarType dtype() const override { return weights_.embedding.scalar_type(); }
  at::Device device() const override { return weights_.embedding.device(); }
  const MambaConfig& config() const { return config_; }

 private:
  Tokens embed(const at::Tensor& ids, const std::vector<std::int64_t>& lengths) const;
  Tokens run_layers(Tokens tokens, const PruningPlan& plan, std::vector<MambaLayerState>& state,
                    Observer* observer) const;
  PrefillGraphs::Outputs read(const at::Tensor& ids, const std::vector<std::int64_t>& lengths,
                              const PruningPlan& plan, Observer* observer) const;
  at::Tensor logits(const Tokens& tokens) const;
  at::ScalarType state_dtype() const { return dtype() == at::kDouble ? at::kDouble : at::kFloat; }

  MambaConfig config_;
  MambaWeights weights_;
  std::vector<MambaBlock> layers_;
  std::shared_ptr<PrefillGraphs> graphs_;
};

}  // namespace simba
