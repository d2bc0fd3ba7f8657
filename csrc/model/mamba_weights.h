// The tensors of a Mamba-1 language model under one set of names. csrc/checkpoint fills it from
// whatever layout a file has.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace simba {

// One block. Matrices are (out, in) in the storage type of the model; tensors marked "acc" are
// float32 (float64 in a float64 model) on the model's device.
struct MambaLayerWeights {
  at::Tensor norm_weight;    // (d_model), acc
  at::Tensor norm_bias;      // (d_model), acc; undefined with RMSNorm
  at::Tensor in_proj;        // (2 d_inner, d_model): rows of x, then rows of z
  at::Tensor in_proj_bias;   // (2 d_inner), or undefined
  at::Tensor conv_weight;    // (d_inner, d_conv), acc
  at::Tensor conv_bias;      // (d_inner), acc, or undefined
  at::Tensor x_proj;         // (dt_rank + 2 N, d_inner): rows of dt, B, C
  at::Tensor dt_proj;        // (d_inner, dt_rank)
  at::Tensor dt_bias;        // (d_inner), acc: added before softplus, inside the scan
  at::Tensor A;              // (d_inner, N), acc: -exp(A_log)
  at::Tensor D;              // (d_inner), acc
  at::Tensor out_proj;       // (d_model, d_inner)
  at::Tensor out_proj_bias;  // (d_model), or undefined
};

struct MambaWeights {
  at::Tensor embedding;  // (vocab_size, d_model)
  std::vector<MambaLayerWeights> layers;
  at::Tensor final_norm_weight;  // (d_model), acc
  at::Tensor final_norm_bias;    // (d_model), acc; undefined with RMSNorm
  at::Tensor lm_head;            // (vocab_size, d_model); the embedding itself when tied
};

}  // namespace simba
