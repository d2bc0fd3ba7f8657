// Slopes of the model's elementary functions.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/numeric.cuh"

namespace simba::kernels {

template <typename Acc>
__device__ inline Acc sigmoid(Acc x) {
  return Acc(1) / (Acc(1) + exp(-x));
}

// s (1 + x (1 - s)) with s = sigmoid(x), 0 and 1 at the infinities.
template <typename Acc>
__device__ inline Acc silu_slope_from(Acc x, Acc s) {
  // Bounded, so that 0 times infinity does not arise; far beyond where s is 0 or 1. NaN stays NaN
  // in s.
  const Acc bounded = fmin(fmax(x, Acc(-1e4)), Acc(1e4));
  return s * (Acc(1) + bounded * (Acc(1) - s));
}

template <typename Acc>
__device__ inline Acc silu_slope(Acc x) {
  return silu_slope_from(x, sigmoid(x));
}

// sigmoid(x) within 2^-21 relative, 0 where x is below -87.
__device__ inline float fast_sigmoid(float x) {
  return fast_reciprocal(1 + fast_exp2(-kLog2E<float> * x));
}

}  // namespace simba::kernels
