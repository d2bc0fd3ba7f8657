// A deterministic language model of a few lines: 4 layers that only carry tokens upwards, driven by
// a real pruning plan and observer, whose logits depend on every id and position that survives.
#pragma once

#include "csrc/model/language_model.h"

namespace simba::eval {

class FakeModel final : public LanguageModel {
 public:
  static constexpr std::int64_t kLayers = 4;
  static constexpr std::int64_t kVocab = 23;

  Prefill prefill(const PackedTokens& tokens, const PruningPlan& plan, Observer* observer) override;
  at::Tensor extend(State& state, const PackedTokens& tokens, Observer* observer) override;
  // 100 per token and layer, 10 per continued token, 1 per logits.
  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override;
  std::int64_t n_layer() const override { return kLayers; }
  std::int64_t vocab_size() const override { return kVocab; }
  std::int64_t parameters() const override { return 0; }
  std::optional<std::int64_t> max_length() const override { return std::nullopt; }
  std::string family() const override { return "fake"; }
  at::ScalarType dtype() const override { return at::kFloat; }
  at::Device device() const override { return at::kCPU; }
};

}  // namespace simba::eval
