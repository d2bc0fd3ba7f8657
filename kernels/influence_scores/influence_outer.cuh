// Upper bounds of log2(dt |u|) at a few instructions, less than a bit above where |u| is normal.
#pragma once

#include "kernels/cuda/fast_math.cuh"

namespace simba::kernels::influence {

// log2 softplus is concave: its asymptote at -inf, here a little flatter, and its tangent at 2 lie
// above.
struct SoftplusLines {
  static constexpr float kSteep = kLog2E<float> * (1 - 0x1p-18f);
  static constexpr float kTangent = 0.597427f;    // the slope at 2
  static constexpr float kTangentAt0 = -0.1059f;  // the tangent's value at 0
};

// log2|u| as a fixed-point number: a float's bits, its exponent and mantissa, read as one number
// are a logarithm. log2|u| is at most 2^-15 times it less kFixedPointOfOne; of 0 that is -127.
inline constexpr float kFixedPointOfOne = 0x1p8f + 127 - 0.0861f - 0x1p-15f;
__device__ inline float fixed_point_log2(float u) {
  constexpr unsigned kBits = 0x4b000000u;  // 2^23, to whose mantissa 23 bits are added
  return __uint_as_float((__float_as_uint(u) & 0x7fffffffu) >> 8 | kBits);
}

// Of the largest delta and |u|; +inf where one is not finite.
__device__ inline float outer_bound(float delta, float bias, float u) {
  const float biased = delta + bias;
  const float x = fmaxf(biased, -1e30f);
  const float dt = fminf(x * SoftplusLines::kSteep,
                         fmaf(x, SoftplusLines::kTangent, SoftplusLines::kTangentAt0));
  const bool finite = biased < infinity<float>() && u < infinity<float>();
  return finite ? dt + fmaf(fixed_point_log2(u), 0x1p-15f, -kFixedPointOfOne) : infinity<float>();
}

}  // namespace simba::kernels::influence
