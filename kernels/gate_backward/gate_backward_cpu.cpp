// Compiled once per CpuTarget. Lanes are channels of a row.
#include "kernels/cpu_kernels.h"
#include "kernels/simd_gradients.h"

namespace simba::kernels {

template <CpuTarget target, typename T>
void gate_backward_target(const GateBackwardParams<T>& params, std::int64_t begin,
                          std::int64_t end) {
  namespace hn = hwy::HWY_NAMESPACE;
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  const PickedRows& picked = params.picked;
  for (std::int64_t flat = begin; flat < end; ++flat) {
    const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
    const std::int64_t first = picked.first(b, l);
    T* grad_y = params.grad_y.row(b, l);
    T* grad_z = params.grad_z.row(b, l);
    for (std::int64_t i = 0; i < params.channels; i += kLanes<Acc>) {
      const std::int64_t count = params.channels - i;
      Vec<Acc> y_result = hn::Zero(Tag<Acc>()), z_result = y_result;
      if (first < picked.rows) {
        Vec<Acc> grad = load_lanes<Acc>(params.grad_out.row(b, first) + i, count);
        for (std::int64_t r = picked.next(b, first); r < picked.rows; r = picked.next(b, r)) {
          grad = hn::Add(grad, load_lanes<Acc>(params.grad_out.row(b, r) + i, count));
        }
        const SiluParts<Acc> gate(load_lanes<Acc>(params.z.row(b, l) + i, count));
        const Vec<Acc> y = load_lanes<Acc>(params.y.row(b, l) + i, count);
        y_result = hn::Mul(grad, gate.silu());
        z_result = hn::Mul(hn::Mul(grad, y), gate.slope());
      }
      store_lanes<Acc>(y_result, grad_y + i, count);
      store_lanes<Acc>(z_result, grad_z + i, count);
    }
  }
}

template void gate_backward_target<CpuTarget::SIMBA_CPU_TARGET, float>(
    const GateBackwardParams<float>&, std::int64_t, std::int64_t);
template void gate_backward_target<CpuTarget::SIMBA_CPU_TARGET, double>(
    const GateBackwardParams<double>&, std::int64_t, std::int64_t);
template void gate_backward_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(
    const GateBackwardParams<BFloat16>&, std::int64_t, std::int64_t);
template void gate_backward_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(
    const GateBackwardParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
