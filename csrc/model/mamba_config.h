// The hyper-parameters of a Mamba-1 language model, independent of the file they were read from.
#pragma once

#include <cstdint>

namespace simba {

struct MambaConfig {
  std::int64_t d_model = 0;
  std::int64_t n_layer = 0;
  std::int64_t vocab_size = 0;  // rows of the embedding and of the head, padding rows included
  std::int64_t d_state = 16;    // N
  std::int64_t d_conv = 4;      // K
  std::int64_t d_inner = 0;     // D = expand * d_model
  std::int64_t dt_rank = 0;
  double norm_epsilon = 1e-5;
  bool rms_norm = true;  // false: LayerNorm with bias
  bool residual_in_fp32 = true;
  bool tie_embeddings = true;
  bool conv_bias = true;         // the convolution has a bias
  bool projection_bias = false;  // in_proj and out_proj have one
};

}  // namespace simba
