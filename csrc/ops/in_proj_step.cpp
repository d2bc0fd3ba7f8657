// simba::in_proj_step: residual, RMSNorm, in_proj and the convolution's step for one token of each
// of at most 4 sequences (formula: kernels/in_proj_step). Returns u, z (S, D) and the new residual
// (S, d_model) in the accumulate type; conv_state (S, D, K - 1) moves on in place. No float64 on a
// GPU.
#include "kernels/in_proj_step/in_proj_step.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#include "kernels/gemv/gemv.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/in_proj_step/in_proj_step_cuda.h"
#endif

namespace simba::ops {
namespace {

void check_rows(const Checks& check, const Tensor& hidden) {
  check.leading("hidden", hidden, 2, "(S, d_model)");
  check.no_float64_on_gpu("hidden", hidden);
  if (hidden.size(1) < 1) check.fail("hidden", "of at least one column", "0");
  if (hidden.size(0) > kernels::kFewRows) {
    check.fail("hidden", "of at most 4 rows", std::to_string(hidden.size(0)));
  }
  const std::int64_t bytes = hidden.numel() * hidden.element_size();
  if (bytes > kernels::kInProjStepBytes) {
    check.fail("hidden", "of at most " + std::to_string(kernels::kInProjStepBytes) + " bytes",
               std::to_string(bytes));
  }
}

std::tuple<Tensor, Tensor, Tensor> in_proj_step(const Tensor& hidden,
                                                const OptionalTensor& residual,
                                                const Tensor& norm_weight, double eps,
                                                const Tensor& in_proj, const Tensor& conv_state,
                                                const Tensor& conv_weight,
                                                const OptionalTensor& conv_bias) {
  const Checks check("in_proj_step");
  check_rows(check, hidden);
  check.rank("conv_weight", conv_weight, 2, "(D, K)");
  if (conv_weight.size(1) < 1) check.fail("conv_weight", "of at least one tap", "0");
  const std::int64_t rows = hidden.size(0), d_model = hidden.size(1);
  const std::int64_t channels = conv_weight.size(0), width = conv_weight.size(1);
  if (width > kernels::kInProjStepWidth) {
    check.fail("conv_weight", "of at most " + std::to_string(kernels::kInProjStepWidth) + " taps",
               std::to_string(width));
  }
  const ScalarType dtype = hidden.scalar_type();
  const ScalarType acc = accumulate_type(dtype);
  check.state("residual", residual, "(S, d_model)", {rows, d_model}, acc, "hidden", hidden);
  check.parameter("norm_weight", norm_weight, "(d_model)", {d_model}, "hidden", hidden);
  check.data("in_proj", in_proj, "(2 D, d_model)", {2 * channels, d_model}, "hidden", hidden);
  check.state("conv_state", conv_state, "(S, D, K - 1)", {rows, channels, width - 1}, dtype,
              "hidden", hidden);
  if (!conv_state.is_contiguous()) check.fail("conv_state", "contiguous", "a strided tensor");
  check.parameter("conv_weight", conv_weight, "(D, K)", {channels, width}, "hidden", hidden);
  check.parameter("conv_bias", conv_bias, "(D)", {channels}, "hidden", hidden);

  const Tensor hidden_rows = contiguous_as(hidden, dtype);
  const OptionalTensor old = contiguous_as(residual, acc);
  const Tensor norm = contiguous_as(norm_weight, acc), weight = contiguous_as(in_proj, dtype);
  const Tensor taps = contiguous_as(conv_weight, acc);
  const OptionalTensor bias = contiguous_as(conv_bias, acc);
  Tensor u = empty({rows, channels}, dtype, hidden), z = empty({rows, channels}, dtype, hidden);
  Tensor new_residual = empty({rows, d_model}, acc, hidden);
  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::InProjStepParams<T> params{.rows = rows,
                                              .d_model = d_model,
                                              .channels = channels,
                                              .width = width,
                                              .eps = eps,
                                              .hidden = data<T>(hidden_rows),
                                              .residual = data<Acc>(old),
                                              .norm_weight = data<Acc>(norm),
                                              .in_proj = data<T>(weight),
                                              .conv_state = mutable_data<T>(conv_state),
                                              .conv_weight = data<Acc>(taps),
                                              .conv_bias = data<Acc>(bias),
                                              .new_residual = mutable_data<Acc>(new_residual),
                                              .u = mutable_data<T>(u),
                                              .z = mutable_data<T>(z)};
    const auto cpu = [&] {
      const Tensor normed = empty({rows, d_model}, dtype, hidden);
      T* normed_rows = mutable_data<T>(normed);
      parallel_items(rows, rows * d_model, [&](std::int64_t begin, std::int64_t end) {
        kernels::in_proj_step_norm_cpu(params, normed_rows, begin, end);
      });
      parallel_items(channels, channels * 2 * d_model * rows,
                     [&](std::int64_t begin, std::int64_t end) {
                       kernels::in_proj_step_cpu(params, normed_rows, begin, end);
                     });
    };
    if constexpr (std::is_same_v<T, double>) {
      cpu();
    } else {
      launch(check, hidden, cpu, [&](auto stream) { return in_proj_step_cuda(params, stream); });
    }
  });
  return {u, z, new_residual};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "in_proj_step(Tensor hidden, Tensor? residual, Tensor norm_weight, float eps, Tensor "
      "in_proj, "
      "Tensor(a!) conv_state, Tensor conv_weight, Tensor? conv_bias=None) -> (Tensor, Tensor, "
      "Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("in_proj_step", TORCH_BOX(&simba::ops::in_proj_step));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("in_proj_step", TORCH_BOX(&simba::ops::in_proj_step));
}
#endif
