// Typed C++ handles over torch.ops.simba: every call goes through the dispatcher, so that devices,
// profilers and fakes see it. Shapes and errors: csrc/ops.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

namespace simba::ops {

using OptionalTensor = std::optional<at::Tensor>;

std::tuple<at::Tensor, at::Tensor> selective_scan(
    const at::Tensor& u, const at::Tensor& delta, const at::Tensor& A, const at::Tensor& B,
    const at::Tensor& C, const OptionalTensor& D, const OptionalTensor& z,
    const OptionalTensor& delta_bias, const OptionalTensor& initial_state,
    const OptionalTensor& cu_seqlens, bool delta_softplus);

at::Tensor influence_scores(const at::Tensor& u, const at::Tensor& delta, const at::Tensor& A,
                            const at::Tensor& B, const at::Tensor& C,
                            const OptionalTensor& delta_bias, const OptionalTensor& cu_seqlens,
                            std::string_view decay, std::string_view reduction);

// (1, sum of keep) flat indices and (S + 1) new cu_seqlens.
std::tuple<at::Tensor, at::Tensor> select_tokens_packed(const at::Tensor& scores,
                                                        const std::vector<std::int64_t>& keep,
                                                        const at::Tensor& cu_seqlens);

std::tuple<at::Tensor, at::Tensor> causal_conv1d(const at::Tensor& x, const at::Tensor& weight,
                                                 const OptionalTensor& bias,
                                                 const OptionalTensor& initial_state,
                                                 const OptionalTensor& cu_seqlens, bool silu);

// (normed, new residual)
std::tuple<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const OptionalTensor& residual,
                                            const at::Tensor& weight, const OptionalTensor& bias,
                                            const OptionalTensor& indices, double eps,
                                            bool residual_in_fp32);

at::Tensor gate(const at::Tensor& y, const at::Tensor& z, const OptionalTensor& indices);

at::Tensor selective_state_update(at::Tensor& state, const at::Tensor& u, const at::Tensor& delta,
                                  const at::Tensor& A, const at::Tensor& B, const at::Tensor& C,
                                  const OptionalTensor& D, const OptionalTensor& z,
                                  const OptionalTensor& delta_bias, bool delta_softplus);

// Decoding of few sequences; the model takes these on GPUs alone. What each computes: kernels/gemv,
// kernels/in_proj_step, kernels/ssm_step.
inline constexpr std::int64_t kFewRows = 4;
inline constexpr std::size_t kInProjStepBytes = 46 * 1024;  // of in_proj_step's hidden
inline constexpr std::int64_t kInProjStepWidth = 32;        // taps of its convolution
// Whether x (S, K) is something the three take: on a GPU, at most kFewRows rows, not float64.
bool takes_few_rows(const at::Tensor& x);
at::Tensor gemv(const at::Tensor& x, const at::Tensor& weight);
// (u, z, new residual)
std::tuple<at::Tensor, at::Tensor, at::Tensor> in_proj_step(
    const at::Tensor& hidden, const OptionalTensor& residual, const at::Tensor& norm_weight,
    double eps, const at::Tensor& in_proj, at::Tensor& conv_state, const at::Tensor& conv_weight,
    const OptionalTensor& conv_bias);
at::Tensor ssm_step(at::Tensor& state, const at::Tensor& u, const at::Tensor& dt_B_C,
                    const at::Tensor& dt_proj, const at::Tensor& A, const at::Tensor& D,
                    const at::Tensor& z, const at::Tensor& delta_bias);

}  // namespace simba::ops
