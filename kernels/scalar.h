// One element at a time on the CPU: conversions between storage types and their AccumulateType, and
// the scalar functions of the model. Not for files compiled per CpuTarget (kernels/simd.h is).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/dtype.h"

namespace simba::kernels {

inline float to_accumulate(float value) { return value; }
inline double to_accumulate(double value) { return value; }
inline float to_accumulate(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
inline float to_accumulate(Float16 value) {
  const std::uint32_t sign = (value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = value.bits >> 10 & 0x1fu, fraction = value.bits & 0x3ffu;
  if (exponent == 0) {
    return std::copysign(std::ldexp(static_cast<float>(fraction), -24), std::bit_cast<float>(sign));
  }
  const std::uint32_t wide = exponent == 0x1fu ? 0xffu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <typename T>
struct Rounding {
  static T from(T value) { return value; }
};
template <>
struct Rounding<BFloat16> {
  static BFloat16 from(float value) {
    if (std::isnan(value)) return {0x7fc0};
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
  }
};
template <>
struct Rounding<Float16> {
  static Float16 from(float value) {
    const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000u;
    return {static_cast<std::uint16_t>(sign | magnitude(std::fabs(value)))};
  }

 private:
  static std::uint32_t magnitude(float value) {
    constexpr float kSmallestNormal = 0x1p-14f, kRoundsToInfinity = 65520;
    if (std::isnan(value)) return 0x7e00;
    if (value >= kRoundsToInfinity) return 0x7c00;
    // Below it the distance of two values is 2^-24.
    if (value < kSmallestNormal) return static_cast<std::uint32_t>(std::nearbyint(value * 0x1p24f));
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return ((bits + 0xfffu + (bits >> 13 & 1u)) >> 13) - ((127u - 15u) << 10);
  }
};

// Rounds to nearest, ties to even.
template <typename T>
T round_to(AccumulateType<T> value) {
  return Rounding<T>::from(value);
}

// log(1 + e^x) without overflow; NaN stays NaN.
template <typename Acc>
Acc softplus(Acc x) {
  return (x > 0 ? x : x < 0 ? Acc(0) : x) + std::log1p(std::exp(-std::fabs(x)));
}

template <typename Acc>
Acc silu(Acc x) {
  return x / (Acc(1) + std::exp(-x));
}

// The sum of a[i] b[i], in ascending order.
template <typename T>
AccumulateType<T> dot(const T* a, const T* b, std::int64_t count) {
  AccumulateType<T> sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += to_accumulate(a[i]) * to_accumulate(b[i]);
  return sum;
}

}  // namespace simba::kernels
