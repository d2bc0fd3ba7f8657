#include "csrc/model/mamba_block.h"

#include <ATen/ops/index_select.h>

#include <optional>

#include "csrc/model/linear.h"
#include "csrc/model/operators.h"

namespace simba {
namespace {

std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

}  // namespace

SsmInputs MambaBlock::project(const Tokens& tokens, MambaLayerState& state) const {
  SsmInputs inputs;
  inputs.cu_seqlens = tokens.cu_seqlens;
  inputs.lengths = tokens.lengths;
  inputs.positions = tokens.positions;
  inputs.A = weights_.A;
  inputs.D = weights_.D;
  inputs.delta_bias = weights_.dt_bias;

  at::Tensor normed;
  std::tie(normed, inputs.residual) = ops::add_norm(
      tokens.hidden, optional(tokens.residual), weights_.norm_weight, optional(weights_.norm_bias),
      optional(tokens.residual_rows), config_.norm_epsilon, config_.residual_in_fp32);

  const std::int64_t d_inner = config_.d_inner;
  const at::Tensor xz = apply_linear(normed.squeeze(0), weights_.in_proj, weights_.in_proj_bias);
  const at::Tensor x = xz.narrow(1, 0, d_inner).unsqueeze(0);
  inputs.z = xz.narrow(1, d_inner, d_inner).unsqueeze(0);
  std::tie(inputs.u, state.conv) =
      ops::causal_conv1d(x, weights_.conv_weight, optional(weights_.conv_bias),
                         optional(state.conv), tokens.cu_seqlens, /*silu=*/true);

  const std::int64_t N = config_.d_state;
  const at::Tensor dt_B_C = apply_linear(inputs.u.squeeze(0), weights_.x_proj, {});
  inputs.delta =
      apply_linear(dt_B_C.narrow(1, 0, config_.dt_rank), weights_.dt_proj, {}).unsqueeze(0);
  inputs.B = dt_B_C.narrow(1, config_.dt_rank, N).unsqueeze(0);
  inputs.C = dt_B_C.narrow(1, config_.dt_rank + N, N).unsqueeze(0);
  return inputs;
}

at::Tensor MambaBlock::scan(const SsmInputs& inputs, MambaLayerState& state) const {
  at::Tensor y;
  std::tie(y, state.ssm) = ops::selective_scan(
      inputs.u, inputs.delta, inputs.A, inputs.B, inputs.C, inputs.D, /*z=*/std::nullopt,
      inputs.delta_bias, optional(state.ssm), inputs.cu_seqlens, /*delta_softplus=*/true);
  return y;
}

Tokens MambaBlock::emit(const at::Tensor& y, const SsmInputs& inputs, const Kept& kept) const {
  const at::Tensor gated = ops::gate(y, inputs.z, optional(kept.indices));
  Tokens tokens;
  tokens.hidden =
      apply_linear(gated.squeeze(0), weights_.out_proj, weights_.out_proj_bias).unsqueeze(0);
  tokens.residual = inputs.residual;
  tokens.residual_rows = kept.indices;
  tokens.cu_seqlens = kept.cu_seqlens;
  tokens.lengths = kept.lengths;
  tokens.positions =
      kept.all() ? inputs.positions : inputs.positions.index_select(0, kept.indices.view(-1));
  return tokens;
}

}  // namespace simba
