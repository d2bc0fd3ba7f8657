// simba::selective_state_update: one decoding step of selective_scan, its state (S, D, N) updated
// in place (formula: kernels/selective_state_update). Returns out (S, D) in u's dtype.
#include "kernels/selective_state_update/selective_state_update.h"

#include <torch/csrc/stable/library.h>

#include "csrc/ops/launch.h"
#include "csrc/ops/scan_arguments.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/selective_state_update/selective_state_update_cuda.h"
#endif

namespace simba::ops {
namespace {

// Written concurrently: no two elements may share memory.
void check_state(const Checks& check, const Tensor& state, const Tensor& u, std::int64_t states) {
  check.state("state", state, "(S, D, N)", {u.size(0), u.size(1), states},
              accumulate_type(u.scalar_type()), "u", u);
  check.last_dimension_contiguous("state", state);
  for (std::int64_t dim = 0; dim < 2; ++dim) {
    if (state.size(dim) > 1 && state.stride(dim) == 0) {
      check.fail("state", "free of overlap",
                 "stride 0 in dimension " + std::to_string(dim) + "; call contiguous()");
    }
  }
}

Tensor selective_state_update(const Tensor& state, const Tensor& u, const Tensor& delta,
                              const Tensor& A, const Tensor& B, const Tensor& C,
                              const OptionalTensor& D, const OptionalTensor& z,
                              const OptionalTensor& delta_bias, bool delta_softplus) {
  const Checks check("selective_state_update");
  check.leading("u", u, 2, "(S, D)");
  const std::int64_t sequences = u.size(0), channels = u.size(1);
  const std::int64_t states = check_states(check, A);
  check_state(check, state, u, states);
  check.data("delta", delta, "(S, D)", {sequences, channels}, "u", u);
  check.parameter("A", A, "(D, N)", {channels, states}, "u", u);
  check.data("B", B, "(S, N)", {sequences, states}, "u", u);
  check.data("C", C, "(S, N)", {sequences, states}, "u", u);
  check.parameter("D", D, "(D)", {channels}, "u", u);
  check.data("z", z, "(S, D)", {sequences, channels}, "u", u);
  check.parameter("delta_bias", delta_bias, "(D)", {channels}, "u", u);

  const ScalarType acc = accumulate_type(u.scalar_type());
  const Tensor A_acc = contiguous_as(A, acc);
  const OptionalTensor D_acc = contiguous_as(D, acc);
  const OptionalTensor bias_acc = contiguous_as(delta_bias, acc);
  Tensor out = empty({sequences, channels}, u.scalar_type(), u);
  dispatch_data(u.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::SelectiveStateUpdateParams<T> params{
        .sequences = sequences,
        .channels = channels,
        .states = states,
        .state = mutable_data<Acc>(state),
        .state_sequence_stride = state.stride(0),
        .state_channel_stride = state.stride(1),
        .u = rows<T>(u),
        .delta = rows<T>(delta),
        .z = rows<T>(z),
        .B = rows<T>(B),
        .C = rows<T>(C),
        .out = mutable_rows<T>(out),
        .A = data<Acc>(A_acc),
        .D = data<Acc>(D_acc),
        .delta_bias = data<Acc>(bias_acc),
        .delta_softplus = delta_softplus,
    };
    launch(
        check, u,
        [&] {
          const std::int64_t items = kernels::selective_state_update_work_items(params);
          parallel_items(items, sequences * channels * states,
                         [&](std::int64_t begin, std::int64_t end) {
                           kernels::selective_state_update_cpu(params, begin, end);
                         });
        },
        [&](auto stream) { return selective_state_update_cuda(params, stream); });
  });
  return out;
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "selective_state_update(Tensor(a!) state, Tensor u, Tensor delta, Tensor A, Tensor B, Tensor "
      "C, "
      "Tensor? D=None, Tensor? z=None, Tensor? delta_bias=None, bool delta_softplus=False) -> "
      "Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("selective_state_update", TORCH_BOX(&simba::ops::selective_state_update));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("selective_state_update", TORCH_BOX(&simba::ops::selective_state_update));
}
#endif
