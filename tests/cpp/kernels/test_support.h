// What the kernel tests share: storage types as doubles, buffers with gaps that must stay
// untouched, and the CPU targets to force.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu_target.h"
#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

// How gtest prints a target.
inline void PrintTo(CpuTarget target, std::ostream* out) {
  *out << (target == CpuTarget::kAvx512 ? "avx512"
           : target == CpuTarget::kAvx2 ? "avx2"
                                        : "baseline");
}

}  // namespace simba::kernels

namespace simba::kernels::testing {

// Written apart from the kernels' own conversions: rounding by std::nearbyint to the type's
// quantum.
inline double to_double(float x) { return x; }
inline double to_double(double x) { return x; }
inline double to_double(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
inline double to_double(Float16 x) {
  const int exponent = x.bits >> 10 & 0x1F, mantissa = x.bits & 0x3FF;
  double magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = mantissa ? std::nan("") : std::numeric_limits<double>::infinity();
  } else {
    magnitude = std::ldexp(exponent ? mantissa + 1024 : mantissa, (exponent ? exponent : 1) - 25);
  }
  return x.bits & 0x8000 ? -magnitude : magnitude;
}

template <typename T>
T from_double(double x);
template <>
inline float from_double(double x) {
  return static_cast<float>(x);
}
template <>
inline double from_double(double x) {
  return x;
}
template <>
inline BFloat16 from_double(double x) {
  if (std::isnan(x)) return {0x7FC0};
  if (!std::isinf(x) && x != 0) {
    const double quantum = std::ldexp(1.0, std::max(std::ilogb(x), -126) - 7);
    x = std::nearbyint(x / quantum) * quantum;
  }
  return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> 16)};
}
template <>
inline Float16 from_double(double x) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const auto encode = [sign](int bits) { return Float16{static_cast<std::uint16_t>(sign | bits)}; };
  if (std::isnan(x)) return encode(0x7E00);
  x = std::abs(x);
  if (x == 0) return encode(0);
  if (std::isinf(x)) return encode(0x7C00);
  int exponent = std::max(std::ilogb(x), -14);
  double mantissa = std::nearbyint(std::ldexp(x, 10 - exponent));
  if (mantissa == 2048) mantissa = 1024, ++exponent;
  if (exponent > 15) return encode(0x7C00);
  const int biased = mantissa < 1024 ? 0 : exponent + 15;
  return encode(biased << 10 | (static_cast<int>(mantissa) & 0x3FF));
}

// Half the distance of neighbouring numbers of T, relative.
template <typename T>
inline constexpr double kRounding = 0x1p-53;
template <>
inline constexpr double kRounding<float> = 0x1p-24;
template <>
inline constexpr double kRounding<BFloat16> = 0x1p-8;
template <>
inline constexpr double kRounding<Float16> = 0x1p-11;

// Below this a result of type T may be off by as much, whatever its relative error.
template <typename T>
inline constexpr double kSmallest = 0x1p-120;
template <>
inline constexpr double kSmallest<Float16> = 0x1p-24;

// A (B, L, C) tensor on an odd base, `gap` elements between its rows and twice that between its
// batch rows, all of them and a margin at both ends filled with a pattern that reads as NaN.
template <typename T>
class Plane {
 public:
  Plane(std::int64_t batch, std::int64_t rows, std::int64_t channels, std::int64_t gap = 3)
      : batch_(batch),
        rows_(rows),
        channels_(channels),
        row_stride_(channels + gap),
        batch_stride_(rows * (channels + gap) + 2 * gap),
        memory_(kMargin + batch * batch_stride_ + kMargin) {
    std::memset(static_cast<void*>(memory_.data()), 0xFF, memory_.size() * sizeof(T));
  }

  // Values from `value(b, l, c)`.
  template <typename Function>
  Plane& fill(const Function& value) {
    for (std::int64_t b = 0; b < batch_; ++b) {
      for (std::int64_t l = 0; l < rows_; ++l) {
        for (std::int64_t c = 0; c < channels_; ++c) {
          *at(b, l, c) = from_double<T>(value(b, l, c));
        }
      }
    }
    return *this;
  }

  T* at(std::int64_t b, std::int64_t l, std::int64_t c) {
    return memory_.data() + kMargin + b * batch_stride_ + l * row_stride_ + c;
  }
  double operator()(std::int64_t b, std::int64_t l, std::int64_t c) const {
    return to_double(*const_cast<Plane*>(this)->at(b, l, c));
  }

  // The view from position `first` on; of type T or const T.
  template <typename U = T>
  Rows<U> rows(std::int64_t first = 0) {
    return {at(0, first, 0), batch_stride_, row_stride_};
  }
  Rows<const T> view(std::int64_t first = 0) { return rows<const T>(first); }

  // True if nothing was written outside the tensor.
  bool gaps_untouched() const {
    std::vector<bool> inside(memory_.size());
    for (std::int64_t b = 0; b < batch_; ++b) {
      for (std::int64_t l = 0; l < rows_; ++l) {
        for (std::int64_t c = 0; c < channels_; ++c) {
          inside[kMargin + b * batch_stride_ + l * row_stride_ + c] = true;
        }
      }
    }
    T pattern;
    std::memset(static_cast<void*>(&pattern), 0xFF, sizeof(T));
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (!inside[i] && std::memcmp(&memory_[i], &pattern, sizeof(T)) != 0) return false;
    }
    return true;
  }

  friend bool same_bits(const Plane& a, const Plane& b) {
    return a.memory_.size() == b.memory_.size() &&
           std::memcmp(a.memory_.data(), b.memory_.data(), a.memory_.size() * sizeof(T)) == 0;
  }

 private:
  static constexpr std::int64_t kMargin = 7;

  std::int64_t batch_, rows_, channels_, row_stride_, batch_stride_;
  std::vector<T> memory_;
};

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Normal random numbers, the same in every run.
class Normal {
 public:
  explicit Normal(unsigned seed) : engine_(seed) {}
  double operator()(double mean = 0, double deviation = 1) {
    return mean + deviation * distribution_(engine_);
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<double> distribution_;
};

// The targets this machine can run.
inline std::vector<CpuTarget> supported_targets() {
  std::vector<CpuTarget> targets;
  for (CpuTarget target : {CpuTarget::kBaseline, CpuTarget::kAvx2, CpuTarget::kAvx512}) {
    if (cpu_target_supported(target)) targets.push_back(target);
  }
  return targets;
}

inline std::string target_name(const ::testing::TestParamInfo<CpuTarget>& info) {
  return ::testing::PrintToString(info.param);
}

// A test suite run once per supported target, which is forced while a test runs.
class OnEveryTarget : public ::testing::TestWithParam<CpuTarget> {
 protected:
  void SetUp() override { force_cpu_target(GetParam()); }
  void TearDown() override { force_cpu_target(std::nullopt); }
};

}  // namespace simba::kernels::testing

// Tests of OnEveryTarget's suite NAME for the four storage types: BODY is a function template of T.
#define SIMBA_TEST_TYPES(NAME, CASE, BODY)            \
  TEST_P(NAME, CASE##_float) { BODY<float>(); }       \
  TEST_P(NAME, CASE##_double) { BODY<double>(); }     \
  TEST_P(NAME, CASE##_bfloat16) { BODY<BFloat16>(); } \
  TEST_P(NAME, CASE##_float16) { BODY<Float16>(); }
