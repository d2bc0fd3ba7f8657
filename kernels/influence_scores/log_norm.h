// Norms of numbers given by their base-2 logarithms. For the per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// The larger of two; NaN wins.
template <typename Acc>
HWY_INLINE Vec<Acc> max_or_nan(Vec<Acc> a, Vec<Acc> b) {
  const auto larger = hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b));
  return hn::IfThenElse(hn::IsNaN(b), b, larger);
}

// log2 of sum 2^value (kL1) or of the root of sum 2^(2 value) (kL2), or the largest value, of every
// column of a (count, lanes) matrix whose rows lie `stride` apart. NaN wins; of no values: -inf.
template <typename Acc>
HWY_INLINE Vec<Acc> log_norm(InfluenceReduction reduction, const Acc* values, std::int64_t stride,
                             std::int64_t count, std::int64_t columns) {
  const Tag<Acc> d;
  auto peak = hn::Set(d, -std::numeric_limits<Acc>::infinity());
  for (std::int64_t i = 0; i < count; ++i) {
    peak = max_or_nan<Acc>(load_lanes<Acc>(values + i * stride, columns), peak);
  }
  if (reduction != InfluenceReduction::kL1 && reduction != InfluenceReduction::kL2) return peak;
  const Acc power = reduction == InfluenceReduction::kL2 ? Acc{2} : Acc{1};
  auto sum = hn::Zero(d);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto distance = hn::Sub(load_lanes<Acc>(values + i * stride, columns), peak);
    sum = hn::Add(sum, Exp2<Acc>(hn::Mul(distance, hn::Set(d, power))));
  }
  const auto norm = hn::MulAdd(Log2<Acc>(sum), hn::Set(d, 1 / power), peak);
  // Also where the peak is infinite or NaN.
  return hn::IfThenElse(hn::Eq(hn::Sub(peak, peak), hn::Zero(d)), norm, peak);
}

}  // namespace simba::kernels::HWY_NAMESPACE
