// Compiled once per CpuTarget. Lanes are channels of a row.
#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {

template <CpuTarget target, typename T>
void gate_target(const GateParams<T>& params, std::int64_t begin, std::int64_t end) {
  namespace hn = hwy::HWY_NAMESPACE;
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  for (std::int64_t flat = begin; flat < end; ++flat) {
    const std::int64_t b = flat / params.rows, r = flat % params.rows;
    const std::int64_t from = params.indices ? params.indices[flat] : r;
    const T* y = params.y.row(b, from);
    const T* z = params.z.row(b, from);
    T* out = params.out.row(b, r);
    for (std::int64_t i = 0; i < params.channels; i += kLanes<Acc>) {
      const std::int64_t count = params.channels - i;
      const auto gated =
          hn::Mul(load_lanes<Acc>(y + i, count), Silu<Acc>(load_lanes<Acc>(z + i, count)));
      store_lanes<Acc>(gated, out + i, count);
    }
  }
}

template void gate_target<CpuTarget::SIMBA_CPU_TARGET, float>(const GateParams<float>&,
                                                              std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, double>(const GateParams<double>&,
                                                               std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(const GateParams<BFloat16>&,
                                                                 std::int64_t, std::int64_t);
template void gate_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(const GateParams<Float16>&,
                                                                std::int64_t, std::int64_t);

}  // namespace simba::kernels
