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

SsmInputs MambaBlock::project(Tokens tokens, MambaLayerState& state) const {
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
  tokens.hidden = tokens.residual = at::Tensor();

  auto [x, z] = in_proj(normed.squeeze(0));
  normed = at::Tensor();
  inputs.z = z.unsqueeze(0);
  std::tie(inputs.u, state.conv) =
      ops::causal_conv1d(x.unsqueeze(0), weights_.conv_weight, optional(weights_.conv_bias),
                         optional(state.conv), tokens.cu_seqlens, /*silu=*/true);
  x = at::Tensor();

  const std::int64_t N = config_.d_state;
  const at::Tensor dt_B_C = apply_linear(inputs.u.squeeze(0), weights_.x_proj, {});
  inputs.delta =
      apply_linear(dt_B_C.narrow(1, 0, config_.dt_rank), weights_.dt_proj, {}).unsqueeze(0);
  inputs.B = dt_B_C.narrow(1, config_.dt_rank, N).unsqueeze(0);
  inputs.C = dt_B_C.narrow(1, config_.dt_rank + N, N).unsqueeze(0);
  return inputs;
}

std::pair<at::Tensor, at::Tensor> MambaBlock::in_proj(const at::Tensor& normed) const {
  const std::int64_t d_inner = config_.d_inner;
  const at::Tensor &weight = weights_.in_proj, &bias = weights_.in_proj_bias;
  if (!normed.is_cpu()) {
    const at::Tensor xz = apply_linear(normed, weight, bias);
    return {xz.narrow(1, 0, d_inner), xz.narrow(1, d_inner, d_inner)};
  }
  // As two products, each in memory of its own: x's serves again after the convolution.
  const auto half = [&](std::int64_t first) {
    return apply_linear(normed, weight.narrow(0, first, d_inner),
                        bias.defined() ? bias.narrow(0, first, d_inner) : bias);
  };
  return {half(0), half(d_inner)};
}

at::Tensor MambaBlock::scan(const SsmInputs& inputs, Gate gate, MambaLayerState& state) const {
  const std::optional<at::Tensor> z =
      gate == Gate::kInScan ? std::optional<at::Tensor>(inputs.z) : std::nullopt;
  at::Tensor y;
  std::tie(y, state.ssm) =
      ops::selective_scan(inputs.u, inputs.delta, inputs.A, inputs.B, inputs.C, inputs.D, z,
                          inputs.delta_bias, optional(state.ssm), inputs.cu_seqlens,
                          /*delta_softplus=*/true);
  return y;
}

Tokens MambaBlock::emit(at::Tensor y, const SsmInputs& inputs, const Kept& kept, Gate gate) const {
  if (gate == Gate::kAfterScan) y = ops::gate(y, inputs.z, optional(kept.indices));
  Tokens tokens;
  tokens.hidden =
      apply_linear(y.squeeze(0), weights_.out_proj, weights_.out_proj_bias).unsqueeze(0);
  tokens.residual = inputs.residual;
  tokens.residual_rows = kept.indices;
  tokens.cu_seqlens = kept.cu_seqlens;
  tokens.lengths = kept.lengths;
  if (inputs.positions.defined()) {
    tokens.positions =
        kept.all() ? inputs.positions : inputs.positions.index_select(0, kept.indices.view(-1));
  }
  return tokens;
}

Tokens MambaBlock::step(const Tokens& tokens, MambaLayerState& state) const {
  if (takes_fused_step(tokens)) return fused_step(tokens, state);
  const auto [normed, residual] = ops::add_norm(
      tokens.hidden, optional(tokens.residual), weights_.norm_weight, optional(weights_.norm_bias),
      /*indices=*/std::nullopt, config_.norm_epsilon, config_.residual_in_fp32);
  const std::int64_t N = config_.d_state, rank = config_.dt_rank;
  const auto [x, z] = in_proj(normed.squeeze(0));
  at::Tensor convolved;
  std::tie(convolved, state.conv) =  // S sequences of one token
      ops::causal_conv1d(x.unsqueeze(1), weights_.conv_weight, optional(weights_.conv_bias),
                         state.conv, /*cu_seqlens=*/std::nullopt, /*silu=*/true);
  const at::Tensor u = convolved.squeeze(1);
  const at::Tensor dt_B_C = apply_linear(u, weights_.x_proj, {});
  const at::Tensor delta = apply_linear(dt_B_C.narrow(1, 0, rank), weights_.dt_proj, {});
  const at::Tensor y = ops::selective_state_update(
      state.ssm, u, delta, weights_.A, dt_B_C.narrow(1, rank, N), dt_B_C.narrow(1, rank + N, N),
      weights_.D, z, weights_.dt_bias, /*delta_softplus=*/true);
  Tokens next;
  next.hidden = apply_linear(y, weights_.out_proj, weights_.out_proj_bias).unsqueeze(0);
  next.residual = residual;
  return next;
}

bool MambaBlock::takes_fused_step(const Tokens& tokens) const {
  return ops::takes_few_rows(tokens.hidden.squeeze(0)) &&
         tokens.hidden.nbytes() <= ops::kInProjStepBytes &&
         config_.d_conv <= ops::kInProjStepWidth && config_.rms_norm && config_.residual_in_fp32 &&
         !weights_.in_proj_bias.defined() && !weights_.out_proj_bias.defined();
}

Tokens MambaBlock::fused_step(const Tokens& tokens, MambaLayerState& state) const {
  const std::optional<at::Tensor> old = tokens.residual.defined()
                                            ? std::optional<at::Tensor>(tokens.residual.squeeze(0))
                                            : std::nullopt;
  const auto [u, z, residual] = ops::in_proj_step(
      tokens.hidden.squeeze(0), old, weights_.norm_weight, config_.norm_epsilon, weights_.in_proj,
      state.conv, weights_.conv_weight, optional(weights_.conv_bias));
  const at::Tensor dt_B_C = ops::gemv(u, weights_.x_proj);
  const at::Tensor y = ops::ssm_step(state.ssm, u, dt_B_C, weights_.dt_proj, weights_.A, weights_.D,
                                     z, weights_.dt_bias);
  Tokens next;
  next.hidden = ops::gemv(y, weights_.out_proj).unsqueeze(0);
  next.residual = residual.unsqueeze(0);
  return next;
}

}  // namespace simba
