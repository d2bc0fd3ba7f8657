// Compiled once per CpuTarget.
#include "benchmarks/kernels/machine_peaks.h"

#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

// rounds x kPeakVectors calls of f, which maps a vector of numbers near 1 to another.
template <typename Function>
HWY_INLINE float run_peak(std::int64_t rounds, const Function& f) {
  const Tag<float> d;
  Vec<float> x[benchmarks::kPeakVectors];
#pragma GCC unroll 16
  for (int i = 0; i < benchmarks::kPeakVectors; ++i) {
    x[i] = hn::Set(d, 1 - 0x1p-8f * static_cast<float>(i));
  }
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < benchmarks::kPeakVectors; ++i) x[i] = f(x[i]);
  }
  auto sum = hn::Zero(d);
#pragma GCC unroll 16
  for (int i = 0; i < benchmarks::kPeakVectors; ++i) sum = hn::Add(sum, x[i]);
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace HWY_NAMESPACE

namespace benchmarks {

template <CpuTarget target>
float fma_peak(std::int64_t rounds) {
  namespace hn = hwy::HWY_NAMESPACE;
  using namespace HWY_NAMESPACE;
  const auto a = hn::Set(Tag<float>(), 0.75f), b = hn::Set(Tag<float>(), 0.25f);
  return run_peak(rounds, [&](Vec<float> x) HWY_ATTR { return hn::MulAdd(x, a, b); });
}

template <CpuTarget target>
float exp2_peak(std::int64_t rounds) {
  using namespace HWY_NAMESPACE;
  const FlushSubnormals flush;
  return run_peak(rounds, [](Vec<float> x) HWY_ATTR { return FlushedExp2<float>(x); });
}

template <CpuTarget target>
std::int64_t vector_lanes() {
  return HWY_NAMESPACE::kLanes<float>;
}

template float fma_peak<CpuTarget::SIMBA_CPU_TARGET>(std::int64_t);
template float exp2_peak<CpuTarget::SIMBA_CPU_TARGET>(std::int64_t);
template std::int64_t vector_lanes<CpuTarget::SIMBA_CPU_TARGET>();

}  // namespace benchmarks
}  // namespace simba::kernels
