// simba::GptNeoX: a pretrained GPT-NeoX language model (Pythia), the transformer beside which Mamba
// and Simba are measured. It reads every token: plans other than dense are refused.
#pragma once

#include <vector>

#include "csrc/model/gpt_neox/block.h"
#include "csrc/model/gpt_neox/config.h"
#include "csrc/model/gpt_neox/rotary.h"
#include "csrc/model/gpt_neox/shape.h"
#include "csrc/model/gpt_neox/weights.h"
#include "csrc/model/language_model.h"

namespace simba {

class GptNeoX final : public LanguageModel {
 public:
  GptNeoX(GptNeoXConfig config, GptNeoXWeights weights);

  // Both throw InputError where a sequence would outgrow max_length(). Observers see tokens whose
  // `hidden` is the whole residual stream, inputs with lengths and positions alone, and all kept.
  Prefill prefill(const PackedTokens& tokens, const PruningPlan& plan,
                  Observer* observer = nullptr) override;
  at::Tensor extend(State& state, const PackedTokens& tokens,
                    Observer* observer = nullptr) override;
  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override {
    return gpt_neox_flops(config_, T, plan, continuation);
  }

  std::int64_t n_layer() const override { return config_.n_layer; }
  std::int64_t vocab_size() const override { return config_.vocab_size; }
  std::int64_t parameters() const override { return gpt_neox_parameters(config_); }
  std::optional<std::int64_t> max_length() const override { return config_.max_length; }
  std::string family() const override { return "gpt_neox"; }
  at::ScalarType dtype() const override { return weights_.embedding.scalar_type(); }
  at::Device device() const override { return weights_.embedding.device(); }
  const GptNeoXConfig& config() const { return config_; }

 private:
  // Reads the tokens of sequences that hold past[s] each; returns the residual stream (R, d_model).
  at::Tensor run_layers(const PackedTokens& packed, const std::vector<std::int64_t>& past,
                        std::vector<KeysAndValues>& caches, Observer* observer) const;
  at::Tensor logits(const at::Tensor& stream) const;

  GptNeoXConfig config_;
  GptNeoXWeights weights_;
  RotaryEmbedding rotary_;
  std::vector<GptNeoXBlock> layers_;
};

}  // namespace simba
