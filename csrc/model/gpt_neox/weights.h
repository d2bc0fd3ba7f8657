// The tensors of a GPT-NeoX language model under one set of names. csrc/checkpoint fills it.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace simba {

// One layer. Matrices are (out, in); they and their biases are in the storage type of the model.
// Tensors marked "acc" are float32 (float64 in a float64 model).
struct GptNeoXLayerWeights {
  at::Tensor attention_norm_weight;  // (d_model), acc
  at::Tensor attention_norm_bias;    // (d_model), acc
  at::Tensor query_key_value;        // (3 d_model, d_model): per head its rows of q, of k, of v
  at::Tensor query_key_value_bias;   // (3 d_model), or undefined
  at::Tensor attention_out;          // (d_model, d_model)
  at::Tensor attention_out_bias;     // (d_model), or undefined
  at::Tensor mlp_norm_weight;        // (d_model), acc
  at::Tensor mlp_norm_bias;          // (d_model), acc
  at::Tensor mlp_in;                 // (d_mlp, d_model)
  at::Tensor mlp_in_bias;            // (d_mlp)
  at::Tensor mlp_out;                // (d_model, d_mlp)
  at::Tensor mlp_out_bias;           // (d_model)
};

struct GptNeoXWeights {
  at::Tensor embedding;  // (vocab_size, d_model)
  std::vector<GptNeoXLayerWeights> layers;
  at::Tensor final_norm_weight;  // (d_model), acc
  at::Tensor final_norm_bias;    // (d_model), acc
  at::Tensor lm_head;            // (vocab_size, d_model); the embedding itself when tied
};

}  // namespace simba
