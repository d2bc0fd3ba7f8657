// One GPT-NeoX layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "csrc/model/gpt_neox/attention.h"
#include "csrc/model/gpt_neox/config.h"
#include "csrc/model/gpt_neox/rotary.h"
#include "csrc/model/gpt_neox/weights.h"

namespace simba {

class GptNeoXBlock {
 public:
  GptNeoXBlock(const GptNeoXConfig& config, GptNeoXLayerWeights weights)
      : config_(config), weights_(std::move(weights)) {}

  // x: (R, d_model), the residual stream of packed tokens; returns it after the layer. Their keys
  // and values join the cache.
  at::Tensor forward(const at::Tensor& x, const RotaryEmbedding::Turns& turns,
                     const PackedAttention& attention, KeysAndValues& cache) const;

 private:
  at::Tensor attend(const at::Tensor& x, const RotaryEmbedding::Turns& turns,
                    const PackedAttention& attention, KeysAndValues& cache) const;
  at::Tensor mlp(const at::Tensor& x) const;

  GptNeoXConfig config_;
  GptNeoXLayerWeights weights_;
};

// LayerNorm of the rows of x (R, D); weight and bias (D).
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double epsilon);

}  // namespace simba
