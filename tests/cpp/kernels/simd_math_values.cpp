// Compiled once per CpuTarget.
#include "tests/cpp/kernels/simd_math_values.h"

#include "kernels/simd_math.h"

namespace simba::kernels::testing {

template <CpuTarget target, typename Acc>
void evaluate(Function function, const Acc* in, Acc* out, std::int64_t count) {
  using namespace kernels::HWY_NAMESPACE;
  for (std::int64_t i = 0; i < count; i += kLanes<Acc>) {
    const Vec<Acc> x = load_lanes<Acc>(in + i, count - i);
    const Vec<Acc> y = [&]() HWY_ATTR {
      switch (function) {
        case Function::kExp2:
          return Exp2<Acc>(x);
        case Function::kFlushedExp2: {
          const FlushSubnormals flush;
          return FlushedExp2<Acc>(x);
        }
        case Function::kExp:
          return Exp<Acc>(x);
        case Function::kLog2:
          return Log2<Acc>(x);
        case Function::kLog1pRatio:
          return Log1pRatio<Acc>(x);
        case Function::kSoftplus:
          return Softplus<Acc>(x);
        case Function::kLog2Softplus:
          return hn::Add(Log2<Acc>(SoftplusParts<Acc>(x).scaled()),
                         SoftplusParts<Acc>(x).scale_exponent());
        default:
          return Silu<Acc>(x);
      }
    }();
    store_lanes<Acc>(y, out + i, count - i);
  }
}

template <CpuTarget target, typename T>
void widen(const T* in, float* out, std::int64_t count) {
  using namespace kernels::HWY_NAMESPACE;
  for (std::int64_t i = 0; i < count; i += kLanes<float>) {
    store_lanes<float>(load_lanes<float>(in + i, count - i), out + i, count - i);
  }
}

template <CpuTarget target, typename T>
void round_to(const float* in, T* out, std::int64_t count) {
  using namespace kernels::HWY_NAMESPACE;
  for (std::int64_t i = 0; i < count; i += kLanes<float>) {
    store_lanes<float>(load_lanes<float>(in + i, count - i), out + i, count - i);
  }
}

inline constexpr CpuTarget kTarget = CpuTarget::SIMBA_CPU_TARGET;
template void evaluate<kTarget>(Function, const float*, float*, std::int64_t);
template void evaluate<kTarget>(Function, const double*, double*, std::int64_t);
template void widen<kTarget>(const BFloat16*, float*, std::int64_t);
template void widen<kTarget>(const Float16*, float*, std::int64_t);
template void round_to<kTarget>(const float*, BFloat16*, std::int64_t);
template void round_to<kTarget>(const float*, Float16*, std::int64_t);

}  // namespace simba::kernels::testing
