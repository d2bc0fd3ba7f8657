// simba::selective_scan_backward: gradients of simba::selective_scan, from its arguments alone
// (formulas: kernels/selective_scan_backward). Returns the gradients of u, delta (B, L, D), A (D,
// N), B, C (B, L, N), D (D), z (B, L, D), delta_bias (D) and initial_state (S, D, N): those of data
// in u's dtype, of parameters and the state in the accumulate type, of an absent argument empty.
#include "kernels/selective_scan_backward/selective_scan_backward.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/scan_arguments.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/selective_scan_backward/selective_scan_backward_cuda.h"
#endif

namespace simba::ops {
namespace {

template <typename T>
void run_cpu(kernels::SelectiveScanBackwardParams<T> params, const Tensor& u) {
  using Acc = kernels::AccumulateType<T>;
  const std::int64_t scratch_size = kernels::selective_scan_backward_scratch(params);
  const Tensor scratch = empty({scratch_size}, accumulate_type(u.scalar_type()), u);
  params.scratch = mutable_data<Acc>(scratch);
  const std::int64_t tokens = params.batch * params.sequences.length;
  parallel_items(kernels::selective_scan_backward_work_items(params),
                 tokens * params.channels * params.states,
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels::selective_scan_backward_cpu(params, begin, end);
                 });
  parallel_items(tokens, scratch_size, [&](std::int64_t begin, std::int64_t end) {
    kernels::selective_scan_backward_sum_tokens_cpu(params, begin, end);
  });
  parallel_items(params.channels, params.sequences.count * params.channels * (params.states + 2),
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels::selective_scan_backward_sum_channels_cpu(params, begin, end);
                 });
}

// A template in all it names: a build without CUDA never looks the launchers up.
template <typename Params, typename Stream>
auto run_cuda(Params params, const Tensor& u, Stream stream) {
  using Acc = typename Params::Acc;
  const Tensor scratch =
      empty({selective_scan_backward_scratch_cuda(params)}, accumulate_type(u.scalar_type()), u);
  params.scratch = mutable_data<Acc>(scratch);
  return selective_scan_backward_cuda(params, stream);
}

using Gradients =
    std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

Gradients selective_scan_backward(const Tensor& u, const Tensor& delta, const Tensor& A,
                                  const Tensor& B, const Tensor& C, const OptionalTensor& D,
                                  const OptionalTensor& z, const OptionalTensor& delta_bias,
                                  const OptionalTensor& initial_state,
                                  const OptionalTensor& cu_seqlens, bool delta_softplus,
                                  const Tensor& grad_out, const OptionalTensor& grad_last_state) {
  const Checks check("selective_scan_backward");
  const ScanShape shape = check_scan_inputs(check, u, delta, A, B, C, delta_bias);
  const auto [batch, length, channels, states] = shape;
  const ScalarType dtype = u.scalar_type(), acc = accumulate_type(dtype);
  check.parameter("D", D, "(D)", {channels}, "u", u);
  check.data("z", z, "(B, L, D)", {batch, length, channels}, "u", u);
  const kernels::Sequences sequences = check.sequences(cu_seqlens, batch, length, "u", u);
  const std::initializer_list<std::int64_t> state_shape = {sequences.count, channels, states};
  check.state("initial_state", initial_state, "(S, D, N)", state_shape, acc, "u", u);
  const Tensor grad = last_dimension_contiguous(grad_out);
  check.data("grad_out", grad, "(B, L, D)", {batch, length, channels}, "u", u);
  check.state("grad_last_state", grad_last_state, "(S, D, N)", state_shape, acc, "u", u);

  const Tensor A_acc = contiguous_as(A, acc);
  const OptionalTensor D_acc = contiguous_as(D, acc);
  const OptionalTensor bias_acc = contiguous_as(delta_bias, acc);
  const OptionalTensor initial = contiguous_as(initial_state, acc);
  const OptionalTensor grad_last = contiguous_as(grad_last_state, acc);
  const Tensor grad_u = empty({batch, length, channels}, dtype, u);
  const Tensor grad_delta = empty({batch, length, channels}, dtype, u);
  const Tensor grad_A = empty({channels, states}, acc, u);
  const Tensor grad_B = empty({batch, length, states}, dtype, u);
  const Tensor grad_C = empty({batch, length, states}, dtype, u);
  const Tensor grad_D = empty_where(D.has_value(), {channels}, acc, u);
  const Tensor grad_z = empty_where(z.has_value(), {batch, length, channels}, dtype, u);
  const Tensor grad_bias = empty_where(delta_bias.has_value(), {channels}, acc, u);
  const Tensor grad_initial = empty_where(initial_state.has_value(), state_shape, acc, u);

  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::SelectiveScanBackwardParams<T> params{
        .sequences = sequences,
        .batch = batch,
        .channels = channels,
        .states = states,
        .u = rows<T>(u),
        .delta = rows<T>(delta),
        .z = rows<T>(z),
        .B = rows<T>(B),
        .C = rows<T>(C),
        .A = data<Acc>(A_acc),
        .D = data<Acc>(D_acc),
        .delta_bias = data<Acc>(bias_acc),
        .initial_state = data<Acc>(initial),
        .delta_softplus = delta_softplus,
        .grad_out = rows<T>(grad),
        .grad_last_state = data<Acc>(grad_last),
        .grad_u = mutable_rows<T>(grad_u),
        .grad_delta = mutable_rows<T>(grad_delta),
        .grad_z = z ? mutable_rows<T>(grad_z) : kernels::Rows<T>{},
        .grad_B = mutable_rows<T>(grad_B),
        .grad_C = mutable_rows<T>(grad_C),
        .grad_A = mutable_data<Acc>(grad_A),
        .grad_D = D ? mutable_data<Acc>(grad_D) : nullptr,
        .grad_delta_bias = delta_bias ? mutable_data<Acc>(grad_bias) : nullptr,
        .grad_initial_state = initial_state ? mutable_data<Acc>(grad_initial) : nullptr,
        .scratch = nullptr,
    };
    launch(
        check, u, [&] { run_cpu(params, u); },
        [&](auto stream) { return run_cuda(params, u, stream); });
  });
  return {grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, grad_bias, grad_initial};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "selective_scan_backward(Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, "
      "Tensor? z, Tensor? delta_bias, Tensor? initial_state, Tensor? cu_seqlens, bool "
      "delta_softplus, Tensor grad_out, Tensor? grad_last_state=None) -> (Tensor, Tensor, Tensor, "
      "Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("selective_scan_backward", TORCH_BOX(&simba::ops::selective_scan_backward));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("selective_scan_backward", TORCH_BOX(&simba::ops::selective_scan_backward));
}
#endif
