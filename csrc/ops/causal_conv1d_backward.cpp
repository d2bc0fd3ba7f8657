// simba::causal_conv1d_backward: gradients of simba::causal_conv1d, from its arguments alone
// (formulas: kernels/causal_conv1d_backward). Returns the gradients of x (B, L, D), weight (D, K),
// bias (D) and initial_state (S, D, K - 1): x's and the state's in x's dtype, the parameters' in
// the accumulate type, of an absent argument empty.
#include "kernels/causal_conv1d_backward/causal_conv1d_backward.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/conv_arguments.h"
#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/causal_conv1d_backward/causal_conv1d_backward_cuda.h"
#endif

namespace simba::ops {
namespace {

template <typename T>
void run_cpu(kernels::CausalConv1dBackwardParams<T> params, const Tensor& x) {
  using Acc = kernels::AccumulateType<T>;
  const std::int64_t scratch_size = kernels::causal_conv1d_backward_scratch(params);
  const Tensor scratch = empty({scratch_size}, accumulate_type(x.scalar_type()), x);
  params.scratch = mutable_data<Acc>(scratch);
  parallel_items(kernels::causal_conv1d_backward_work_items(params),
                 params.batch * params.sequences.length * params.channels * params.width,
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels::causal_conv1d_backward_cpu(params, begin, end);
                 });
  parallel_items(params.channels, scratch_size, [&](std::int64_t begin, std::int64_t end) {
    kernels::causal_conv1d_backward_sum_cpu(params, begin, end);
  });
}

// A template in all it names: a build without CUDA never looks the launchers up.
template <typename Params, typename Stream>
auto run_cuda(Params params, const Tensor& x, Stream stream) {
  using Acc = typename Params::Acc;
  const Tensor scratch =
      empty({causal_conv1d_backward_scratch_cuda(params)}, accumulate_type(x.scalar_type()), x);
  params.scratch = mutable_data<Acc>(scratch);
  return causal_conv1d_backward_cuda(params, stream);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> causal_conv1d_backward(
    const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
    const OptionalTensor& initial_state, const OptionalTensor& cu_seqlens, bool silu,
    const Tensor& grad_out, const OptionalTensor& grad_last_state) {
  const Checks check("causal_conv1d_backward");
  const ConvShape shape = check_conv_inputs(check, x, weight, bias);
  const auto [batch, length, channels, width] = shape;
  const ScalarType dtype = x.scalar_type(), acc = accumulate_type(dtype);
  const kernels::Sequences sequences = check.sequences(cu_seqlens, batch, length, "x", x);
  const std::initializer_list<std::int64_t> state_shape = {sequences.count, channels, width - 1};
  check.state("initial_state", initial_state, "(S, D, K - 1)", state_shape, dtype, "x", x);
  const Tensor grad = last_dimension_contiguous(grad_out);
  check.data("grad_out", grad, "(B, L, D)", {batch, length, channels}, "x", x);
  check.state("grad_last_state", grad_last_state, "(S, D, K - 1)", state_shape, dtype, "x", x);

  const Tensor weight_acc = contiguous_as(weight, acc);
  const OptionalTensor bias_acc = contiguous_as(bias, acc);
  const OptionalTensor initial = contiguous_as(initial_state, dtype);
  const OptionalTensor grad_last = contiguous_as(grad_last_state, dtype);
  const Tensor grad_x = empty({batch, length, channels}, dtype, x);
  const Tensor grad_weight = empty({channels, width}, acc, x);
  const Tensor grad_bias = empty_where(bias.has_value(), {channels}, acc, x);
  const Tensor grad_initial = empty_where(initial_state.has_value(), state_shape, dtype, x);

  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::CausalConv1dBackwardParams<T> params{
        .sequences = sequences,
        .batch = batch,
        .channels = channels,
        .width = width,
        .x = rows<T>(x),
        .weight = data<Acc>(weight_acc),
        .bias = data<Acc>(bias_acc),
        .initial_state = data<T>(initial),
        .silu = silu,
        .grad_out = rows<T>(grad),
        .grad_last_state = data<T>(grad_last),
        .grad_x = mutable_rows<T>(grad_x),
        .grad_weight = mutable_data<Acc>(grad_weight),
        .grad_bias = bias ? mutable_data<Acc>(grad_bias) : nullptr,
        .grad_initial_state = initial_state ? mutable_data<T>(grad_initial) : nullptr,
        .scratch = nullptr,
    };
    launch(
        check, x, [&] { run_cpu(params, x); },
        [&](auto stream) { return run_cuda(params, x, stream); });
  });
  return {grad_x, grad_weight, grad_bias, grad_initial};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "causal_conv1d_backward(Tensor x, Tensor weight, Tensor? bias, Tensor? initial_state, "
      "Tensor? cu_seqlens, bool silu, Tensor grad_out, Tensor? grad_last_state=None) -> (Tensor, "
      "Tensor, Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("causal_conv1d_backward", TORCH_BOX(&simba::ops::causal_conv1d_backward));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("causal_conv1d_backward", TORCH_BOX(&simba::ops::causal_conv1d_backward));
}
#endif
