// Norms of numbers given by their base-2 logarithms. For the per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// log2 of sum 2^value (kL1) or of the root of sum 2^(2 value) (kL2), or the largest value. NaN
// wins; of no values: -inf.
template <typename Acc>
struct LogNorm {
  InfluenceReduction reduction;

  // Reads whole vectors: those of the last one beyond `count` must be -inf.
  HWY_INLINE Acc of(const Acc* values, std::int64_t count) const {
    const Tag<Acc> d;
    const Vec<Acc> lowest = hn::Set(d, -std::numeric_limits<Acc>::infinity());
    Vec<Acc> largest = lowest;
    auto nan = hn::MaskFromVec(hn::Zero(d));
    for (std::int64_t i = 0; i < count; i += kLanes<Acc>) {
      const auto value = hn::LoadU(d, values + i);
      nan = hn::Or(nan, hn::IsNaN(value));
      largest = hn::Max(value, largest);
    }
    if (!hn::AllFalse(d, nan)) return std::numeric_limits<Acc>::quiet_NaN();
    const Acc peak = hn::GetLane(hn::MaxOfLanes(d, largest));
    const bool is_sum =
        reduction == InfluenceReduction::kL1 || reduction == InfluenceReduction::kL2;
    if (!is_sum || !(peak - peak == 0)) return peak;  // also where peak is infinite
    const Acc power = reduction == InfluenceReduction::kL2 ? Acc{2} : Acc{1};
    auto sum = hn::Zero(d);
    for (std::int64_t i = 0; i < count; i += kLanes<Acc>) {
      const auto distance = hn::Sub(hn::LoadU(d, values + i), hn::Set(d, peak));
      sum = hn::Add(sum, Exp2<Acc>(hn::Mul(distance, hn::Set(d, power))));
    }
    return peak + hn::GetLane(Log2<Acc>(hn::SumOfLanes(d, sum))) / power;
  }
};

}  // namespace simba::kernels::HWY_NAMESPACE
