// Sums of softplus(x) over tokens at one exponential each:
//   sum of softplus(x) = sum of max(x, 0) + log(product of (1 + e^-|x|)).
#pragma once

#include "kernels/cuda/fast_math.cuh"

namespace simba::kernels::influence {

// log(1 + x) of x from 0 to 2^100 within 1e-7 relative: of 1 + x = 2^k (1 + f), from a polynomial
// of f. NaN stays NaN.
__device__ inline float fast_log1p(float x) {
  constexpr float kLn2 = 0.693147181f;
  const int bits = __float_as_int(1 + x);
  const int k = (bits >> 23) - 127;
  const float f = k == 0 ? x : __int_as_float(bits - (k << 23)) - 1;
  return fmaf(static_cast<float>(k), kLn2, softplus_of_exponential(x - x, f));
}

// Of at most 100 tokens. The product is kept less 1, so that a sum of tiny steps has their relative
// precision. Every use adds in the same order and rounds alike: no operation here may be fused.
struct DecaySum {
  float positive = 0;  // sum of max(x, 0)
  float growth = 0;    // product of (1 + e^-|x|), less 1

  __device__ void add(float x) {
    const float e = fast_exp_minus_abs(x);
    growth = fmaf(growth, e, __fadd_rn(growth, e));
    positive = __fadd_rn(positive, fmaxf(x, 0.0f));
  }
  __device__ float value() const { return __fadd_rn(positive, fast_log1p(growth)); }
};

}  // namespace simba::kernels::influence
