// Functions of the fast kernels: few instructions, and errors far below those of rounding the
// result to a 16-bit type.
#pragma once

#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// 2^x within 2 ulp; 0 where that is below 2^-126.
__device__ inline float fast_exp2(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

// 1 / x within 1 ulp; 0 where that is below 2^-126.
__device__ inline float fast_reciprocal(float x) {
  float reciprocal;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(x));
  return reciprocal;
}

// log2(x) within 2^-22, relative where |log2(x)| > 1; -inf where x is below 2^-126.
__device__ inline float fast_log2(float x) {
  float logarithm;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(logarithm) : "f"(x));
  return logarithm;
}

// log(1 + e^x) of e = e^-|x|, within 4e-8 relative beside rounding: max(x, 0) + log1p(e), and
// log1p(e) = e (1 + e q(e)) with q a minimax polynomial over [0, 1]. NaN stays NaN.
__device__ inline float softplus_of_exponential(float x, float e) {
  float q = 5.364738870e-03f;
  q = fmaf(q, e, -3.006545082e-02f);
  q = fmaf(q, e, 7.920397818e-02f);
  q = fmaf(q, e, -1.375375539e-01f);
  q = fmaf(q, e, 1.915363371e-01f);
  q = fmaf(q, e, -2.485715747e-01f);
  q = fmaf(q, e, 3.332132101e-01f);
  q = fmaf(q, e, -4.999964833e-01f);
  q = fmaf(q, e, 1.0f);
  return fmaf(q, e, max_or_nan(x, 0.0f));
}

// e^-|x|.
__device__ inline float fast_exp_minus_abs(float x) { return fast_exp2(-kLog2E<float> * fabsf(x)); }

// log(1 + e^x) within 3e-7 relative down to x = -4 (below, the argument's rounding grows: 2e-6 at
// -40; 0 below -87), with one exponential.
__device__ inline float fast_softplus(float x) {
  return softplus_of_exponential(x, fast_exp_minus_abs(x));
}

// The same within 3e-7 relative everywhere above -87, with errors of either sign: what rounding
// took from the exponential's argument is put back.
__device__ inline float precise_softplus(float x) {
  constexpr float kLog2ERest = 1.92596299e-8f;  // log2(e) less its float
  constexpr float kLn2 = 0.693147181f;
  const float magnitude = fminf(fabsf(x), 200);  // an infinite product would have no rest
  const float exponent = -kLog2E<float> * magnitude;
  const float rest = fmaf(-kLog2ERest, magnitude, fmaf(-kLog2E<float>, magnitude, -exponent));
  const float e = fast_exp2(exponent);
  return softplus_of_exponential(x, fmaf(e * rest, kLn2, e));
}

// log2(softplus(x)) with fast_softplus, also where softplus(x) underflows.
__device__ inline float fast_log2_softplus(float x) {
  return x < -17 ? x * kLog2E<float> : fast_log2(fast_softplus(x));
}

// silu(x), to be rounded to T. 16-bit T: within 2^-16 relative, 0 where x is below -87.
template <typename T>
__device__ inline float fast_silu(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return silu(x);
  } else {
    return x * fast_reciprocal(1 + fast_exp2(-kLog2E<float> * x));
  }
}

// The same of two, as factors of two values. 16-bit T: they share a reciprocal, and sigmoids below
// 2^-60 count as that.
template <typename T>
__device__ inline void multiply_by_silu(float (&values)[2], const float (&x)[2]) {
  if constexpr (sizeof(T) == sizeof(float)) {
#pragma unroll
    for (int i = 0; i < 2; ++i) values[i] *= silu(x[i]);
  } else {
    float denominators[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      denominators[i] = 1 + fast_exp2(fminf(-kLog2E<float> * x[i], 60));
    }
    const float reciprocal = fast_reciprocal(denominators[0] * denominators[1]);
    values[0] *= x[0] * (reciprocal * denominators[1]);
    values[1] *= x[1] * (reciprocal * denominators[0]);
  }
}

}  // namespace simba::kernels
