// Sums of softplus(x) over tokens at one exponential each:
//   sum of softplus(x) = sum of max(x, 0) + log(product of (1 + e^-|x|)).
#pragma once

#include "kernels/cuda/fast_math.cuh"

namespace simba::kernels::influence {

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
  __device__ float value() const { return __fadd_rn(positive, log1pf(growth)); }
};

}  // namespace simba::kernels::influence
