// Reductions over the 32 lanes of a warp. The order of the operands is fixed, so results repeat bit
// for bit; every lane receives the result.
#pragma once

#include "kernels/cuda/numeric.cuh"

namespace simba::kernels {

inline constexpr int kWarpSize = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// The larger; NaN where either is NaN.
template <typename Acc>
__device__ inline Acc max_or_nan(Acc a, Acc b) {
  return a > b || a != a ? a : b;
}
#if __CUDA_ARCH__ >= 800
// One instruction; of 0 and -0 the former.
template <>
__device__ inline float max_or_nan(float a, float b) {
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
  return larger;
}
#endif

template <typename Acc>
__device__ inline Acc warp_sum(Acc value) {
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

template <typename Acc>
__device__ inline Acc warp_max_or_nan(Acc value) {
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value = max_or_nan(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

__device__ inline int warp_max(int value) {
#if __CUDA_ARCH__ >= 800
  return __reduce_max_sync(kAllLanes, value);
#else
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
#endif
}
__device__ inline int warp_min(int value) { return ~warp_max(~value); }

__device__ inline unsigned warp_or(unsigned value) {
#if __CUDA_ARCH__ >= 800
  return __reduce_or_sync(kAllLanes, value);
#else
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    value |= __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
#endif
}

// The exponent to factor out of a sum of powers of two whose largest is 2^largest: 0 where that one
// is 0 or infinite, since inf - inf would turn the sum into NaN.
template <typename Acc>
__device__ inline Acc factored_exponent(Acc largest) {
  return fabs(largest) == infinity<Acc>() ? Acc(0) : largest;
}

// log2 of the sum of 2^value over the lanes, without overflow or underflow.
template <typename Acc>
__device__ inline Acc warp_log2_sum(Acc value) {
  const Acc factor = factored_exponent(warp_max_or_nan(value));
  return factor + log2(warp_sum(exp2(value - factor)));
}

}  // namespace simba::kernels
