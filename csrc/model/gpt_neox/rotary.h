// Rotary position embedding (arXiv 2104.09864) in GPT-NeoX's arrangement: of the first rotary_dim
// numbers of a head, number i is turned together with number i + rotary_dim / 2.
#pragma once

#include <ATen/core/Tensor.h>

#include "csrc/model/gpt_neox/config.h"

namespace simba {

class RotaryEmbedding {
 public:
  // Angles of every position that the model knows, in float32 or (dtype kDouble) float64: the same
  // for a token wherever it lies in a batch.
  RotaryEmbedding(const GptNeoXConfig& config, at::ScalarType dtype, at::Device device);

  // The cosines and sines of R tokens, each (R, 1, rotary_dim / 2). positions: (R) int64.
  struct Turns {
    at::Tensor cos, sin;
  };
  Turns at(const at::Tensor& positions) const;

  // x: (R, heads, d_head). The turned numbers are rounded to x's type once.
  static at::Tensor turn(const at::Tensor& x, const Turns& turns);

 private:
  at::Tensor cos_, sin_;  // (max_length, rotary_dim / 2)
};

}  // namespace simba
