// The hyper-parameters of a GPT-NeoX language model (Pythia), independent of the file they were
// read from.
#pragma once

#include <cstdint>

namespace simba {

struct GptNeoXConfig {
  std::int64_t d_model = 0;
  std::int64_t n_layer = 0;
  std::int64_t n_head = 0;  // divides d_model
  std::int64_t d_mlp = 0;   // inner width of the MLP
  std::int64_t vocab_size = 0;
  std::int64_t max_length = 2048;  // positions that the model knows
  std::int64_t rotary_dim = 0;     // of each head's d_head numbers, the first that are turned: even
  double rotary_base = 10000;
  double norm_epsilon = 1e-5;
  bool parallel_residual = true;  // attention and MLP both read the layer's input
  bool attention_bias = true;
  bool gelu_tanh = false;  // GELU by its tanh formula instead of erf
  bool tie_embeddings = false;

  std::int64_t d_head() const { return d_model / n_head; }
};

}  // namespace simba
