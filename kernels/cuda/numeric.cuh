// Conversions between storage types and their AccumulateType, and the scalar functions of the
// model. Nothing here is compiled with fast math; float functions are within 2 ulp unless noted.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/dtype.h"

namespace simba::kernels {

template <typename Acc>
inline constexpr Acc kLog2E = Acc(1.4426950408889634074);

template <typename Acc>
__device__ inline Acc infinity() {
  return Acc(__longlong_as_double(0x7ff0000000000000LL));
}

__device__ inline float to_accumulate(float value) { return value; }
__device__ inline double to_accumulate(double value) { return value; }
__device__ inline float to_accumulate(BFloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
__device__ inline float to_accumulate(Float16 value) {
  return __half2float(__ushort_as_half(value.bits));
}

template <typename T>
struct Rounding {
  __device__ static T from(AccumulateType<T> value) { return value; }
};
template <>
struct Rounding<BFloat16> {
  __device__ static BFloat16 from(float value) {
    return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
  }
};
template <>
struct Rounding<Float16> {
  __device__ static Float16 from(float value) { return {__half_as_ushort(__float2half_rn(value))}; }
};

// Rounds to nearest, ties to even.
template <typename T>
__device__ inline T round_to(AccumulateType<T> value) {
  return Rounding<T>::from(value);
}

// log(1 + e^x) without overflow; NaN stays NaN.
template <typename Acc>
__device__ inline Acc softplus(Acc x) {
  return max(x, Acc(0)) + log1p(exp(-fabs(x)));
}

// log2(softplus(x)), also where softplus(x) underflows: there softplus(x) = e^x to Acc's precision.
template <typename Acc>
__device__ inline Acc log2_softplus(Acc x) {
  constexpr Acc kExponential = sizeof(Acc) == sizeof(float) ? Acc(-17) : Acc(-37);
  return x < kExponential ? x * kLog2E<Acc> : log2(softplus(x));
}

template <typename Acc>
__device__ inline Acc silu(Acc x) {
  return x / (Acc(1) + exp(-x));
}

}  // namespace simba::kernels
