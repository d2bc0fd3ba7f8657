// simba::causal_conv1d: depthwise causal convolution along each sequence (formula:
// kernels/causal_conv1d). Returns out (B, L, D) and last_state (S, D, K - 1), both in x's dtype.
#include "kernels/causal_conv1d/causal_conv1d.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/conv_arguments.h"
#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/causal_conv1d/causal_conv1d_cuda.h"
#endif

namespace simba::ops {
namespace {

std::tuple<Tensor, Tensor> causal_conv1d(const Tensor& x, const Tensor& weight,
                                         const OptionalTensor& bias,
                                         const OptionalTensor& initial_state,
                                         const OptionalTensor& cu_seqlens, bool silu) {
  const Checks check("causal_conv1d");
  const ConvShape shape = check_conv_inputs(check, x, weight, bias);
  const auto [batch, length, channels, width] = shape;
  const ScalarType dtype = x.scalar_type();
  const ScalarType acc = accumulate_type(dtype);
  const kernels::Sequences sequences = check.sequences(cu_seqlens, batch, length, "x", x);
  check.state("initial_state", initial_state, "(S, D, K - 1)",
              {sequences.count, channels, width - 1}, dtype, "x", x);

  const Tensor weight_acc = contiguous_as(weight, acc);
  const OptionalTensor bias_acc = contiguous_as(bias, acc);
  const OptionalTensor initial = contiguous_as(initial_state, dtype);
  Tensor out = empty({batch, length, channels}, dtype, x);
  Tensor last_state = empty({sequences.count, channels, width - 1}, dtype, x);

  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::CausalConv1dParams<T> params{
        .sequences = sequences,
        .channels = channels,
        .width = width,
        .x = rows<T>(x),
        .out = mutable_rows<T>(out),
        .weight = data<Acc>(weight_acc),
        .bias = data<Acc>(bias_acc),
        .initial_state = data<T>(initial),
        .last_state = mutable_data<T>(last_state),
        .silu = silu,
    };
    launch(
        check, x,
        [&] {
          const std::int64_t items = kernels::causal_conv1d_work_items(params);
          parallel_items(items, batch * length * channels * width,
                         [&](std::int64_t begin, std::int64_t end) {
                           kernels::causal_conv1d_cpu(params, begin, end);
                         });
        },
        [&](auto stream) { return causal_conv1d_cuda(params, stream); });
  });
  return {out, last_state};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "causal_conv1d(Tensor x, Tensor weight, Tensor? bias=None, Tensor? initial_state=None, "
      "Tensor? cu_seqlens=None, bool silu=False) -> (Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("causal_conv1d", TORCH_BOX(&simba::ops::causal_conv1d));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("causal_conv1d", TORCH_BOX(&simba::ops::causal_conv1d));
}
#endif
