// simba::selective_scan: Mamba-1's scan over whole sequences (formula: kernels/selective_scan).
// Returns out (B, L, D) in u's dtype and last_state (S, D, N) in the accumulate type.
#include "kernels/selective_scan/selective_scan.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/scan_arguments.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/selective_scan/selective_scan_cuda.h"
#endif

namespace simba::ops {
namespace {

std::tuple<Tensor, Tensor> selective_scan(const Tensor& u, const Tensor& delta, const Tensor& A,
                                          const Tensor& B, const Tensor& C, const OptionalTensor& D,
                                          const OptionalTensor& z, const OptionalTensor& delta_bias,
                                          const OptionalTensor& initial_state,
                                          const OptionalTensor& cu_seqlens, bool delta_softplus) {
  const Checks check("selective_scan");
  const ScanShape shape = check_scan_inputs(check, u, delta, A, B, C, delta_bias);
  const auto [batch, length, channels, states] = shape;
  const ScalarType acc = accumulate_type(u.scalar_type());
  check.parameter("D", D, "(D)", {channels}, "u", u);
  check.data("z", z, "(B, L, D)", {batch, length, channels}, "u", u);
  const kernels::Sequences sequences = check.sequences(cu_seqlens, batch, length, "u", u);
  check.state("initial_state", initial_state, "(S, D, N)", {sequences.count, channels, states}, acc,
              "u", u);

  const Tensor A_acc = contiguous_as(A, acc);
  const OptionalTensor D_acc = contiguous_as(D, acc);
  const OptionalTensor bias_acc = contiguous_as(delta_bias, acc);
  const OptionalTensor initial = contiguous_as(initial_state, acc);
  Tensor out = empty({batch, length, channels}, u.scalar_type(), u);
  Tensor last_state = empty({sequences.count, channels, states}, acc, u);

  dispatch_data(u.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::SelectiveScanParams<T> params{
        .sequences = sequences,
        .channels = channels,
        .states = states,
        .u = rows<T>(u),
        .delta = rows<T>(delta),
        .z = rows<T>(z),
        .B = rows<T>(B),
        .C = rows<T>(C),
        .out = mutable_rows<T>(out),
        .A = data<Acc>(A_acc),
        .D = data<Acc>(D_acc),
        .delta_bias = data<Acc>(bias_acc),
        .initial_state = data<Acc>(initial),
        .last_state = mutable_data<Acc>(last_state),
        .delta_softplus = delta_softplus,
    };
    launch(
        check, u,
        [&] {
          const std::int64_t items = kernels::selective_scan_work_items(params);
          parallel_items(items, batch * length * channels * states,
                         [&](std::int64_t begin, std::int64_t end) {
                           kernels::selective_scan_cpu(params, begin, end);
                         });
        },
        [&](auto stream) { return selective_scan_cuda(params, stream); });
  });
  return {out, last_state};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "selective_scan(Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D=None, "
      "Tensor? z=None, Tensor? delta_bias=None, Tensor? initial_state=None, Tensor? "
      "cu_seqlens=None, "
      "bool delta_softplus=False) -> (Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("selective_scan", TORCH_BOX(&simba::ops::selective_scan));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("selective_scan", TORCH_BOX(&simba::ops::selective_scan));
}
#endif
