#include "csrc/model/gpt_neox/block.h"

#include <ATen/TensorOperators.h>

#include <optional>

#include "csrc/model/gpt_neox/gelu.h"
#include "csrc/model/linear.h"
#include "csrc/model/operators.h"

namespace simba {

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double epsilon) {
  return std::get<0>(ops::add_norm(x.unsqueeze(0), /*residual=*/std::nullopt, weight, bias,
                                   /*indices=*/std::nullopt, epsilon,
                                   /*residual_in_fp32=*/false))
      .squeeze(0);
}

at::Tensor GptNeoXBlock::forward(const at::Tensor& x, const RotaryEmbedding::Turns& turns,
                                 const PackedAttention& attention, KeysAndValues& cache) const {
  const at::Tensor attended = attend(x, turns, attention, cache);
  if (config_.parallel_residual) return mlp(x) + attended + x;
  const at::Tensor middle = attended + x;
  return mlp(middle) + middle;
}

at::Tensor GptNeoXBlock::attend(const at::Tensor& x, const RotaryEmbedding::Turns& turns,
                                const PackedAttention& attention, KeysAndValues& cache) const {
  const at::Tensor normed = layer_norm(x, weights_.attention_norm_weight,
                                       weights_.attention_norm_bias, config_.norm_epsilon);
  const std::int64_t d_head = config_.d_head();
  const at::Tensor heads =
      apply_linear(normed, weights_.query_key_value, weights_.query_key_value_bias)
          .view({x.size(0), config_.n_head, 3 * d_head});
  const at::Tensor queries = RotaryEmbedding::turn(heads.narrow(2, 0, d_head), turns);
  const at::Tensor keys = RotaryEmbedding::turn(heads.narrow(2, d_head, d_head), turns);
  attention.append(cache, keys, heads.narrow(2, 2 * d_head, d_head));
  const at::Tensor read = attention.attend(queries, cache).view({x.size(0), config_.d_model});
  return apply_linear(read, weights_.attention_out, weights_.attention_out_bias);
}

at::Tensor GptNeoXBlock::mlp(const at::Tensor& x) const {
  const at::Tensor normed =
      layer_norm(x, weights_.mlp_norm_weight, weights_.mlp_norm_bias, config_.norm_epsilon);
  const at::Tensor inner = apply_linear(normed, weights_.mlp_in, weights_.mlp_in_bias);
  apply_gelu(inner, config_.gelu_tanh);
  return apply_linear(inner, weights_.mlp_out, weights_.mlp_out_bias);
}

}  // namespace simba
