// Values of the four storage types on the host, and how close results in them can be to exact ones.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/dtype.h"

namespace simba::kernels {

inline double load(double value) { return value; }
inline double load(float value) { return value; }
inline double load(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
inline double load(Float16 value) {
  const double sign = value.bits & 0x8000 ? -1 : 1;
  const int exponent = (value.bits >> 10) & 31;
  const int mantissa = value.bits & 1023;
  if (exponent == 31) return mantissa ? std::nan("") : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

// The nearest value of T, ties to even. 16-bit types: by search among the two neighbours that share
// the leading bits, so nothing here depends on the conversions under test.
template <typename T>
T store(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (std::isnan(value)) return T{0x7fff};
    const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    std::uint16_t low = 0;
    std::uint16_t high = std::is_same_v<T, BFloat16> ? 0x7f80 : 0x7c00;
    while (high - low > 1) {
      const std::uint16_t middle = (low + high) / 2;
      (load(T{middle}) <= std::abs(value) ? low : high) = middle;
    }
    const double below = std::abs(value) - load(T{low});
    const double above = load(T{high}) - std::abs(value);
    const bool up = std::isinf(value) || above < below || (above == below && low % 2 == 1);
    return T{static_cast<std::uint16_t>(sign | (up ? high : low))};
  }
}

template <typename T>
std::vector<T> store_all(const std::vector<double>& values) {
  std::vector<T> stored;
  for (const double value : values) stored.push_back(store<T>(value));
  return stored;
}

template <typename T>
std::vector<double> load_all(const std::vector<T>& values) {
  std::vector<double> loaded;
  for (const T value : values) loaded.push_back(load(value));
  return loaded;
}

// Values as T holds them.
template <typename T>
std::vector<double> rounded(const std::vector<double>& values) {
  return load_all(store_all<T>(values));
}

// Half a unit in the last place of T, relative: what rounding a result to T may cost.
template <typename T>
constexpr double kRounding = std::is_same_v<T, double>     ? 0x1p-53
                             : std::is_same_v<T, float>    ? 0x1p-24
                             : std::is_same_v<T, BFloat16> ? 0x1p-8
                                                           : 0x1p-11;

// |actual - expected| <= relative * |expected| + absolute * rms(expected), everywhere; NaN only for
// NaN.
inline void expect_close(const std::vector<double>& actual, const std::vector<double>& expected,
                         double relative, double absolute) {
  ASSERT_EQ(actual.size(), expected.size());
  double squares = 0;
  for (const double value : expected) squares += std::isfinite(value) ? value * value : 0;
  const double rms = expected.empty() ? 0 : std::sqrt(squares / expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << "at " << i << ": " << actual[i] << ", expected NaN";
    } else if (actual[i] != expected[i]) {
      ASSERT_LE(std::abs(actual[i] - expected[i]),
                relative * std::abs(expected[i]) + absolute * rms)
          << "at " << i << ": " << actual[i] << ", expected " << expected[i];
    }
  }
}

// A result rounded to T whose float or double arithmetic has a relative error of `arithmetic` in
// double's or float's own terms: units of the AccumulateType's rounding.
template <typename T>
void expect_rounded(const std::vector<double>& actual, const std::vector<double>& expected,
                    double arithmetic) {
  const double error = arithmetic * kRounding<AccumulateType<T>>;
  // Smallest steps of float16, in case the results are that small: far below any rms here.
  expect_close(actual, expected, 1.01 * kRounding<T> + error, error + 0x1p-24 * 4);
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  std::vector<double> normal(std::int64_t count, double mean = 0, double deviation = 1) {
    return draw(count, std::normal_distribution<double>(mean, deviation));
  }
  std::vector<double> uniform(std::int64_t count, double low, double high) {
    return draw(count, std::uniform_real_distribution<double>(low, high));
  }
  // A of a scan: -e^x with x in (-2, 3).
  std::vector<double> decay(std::int64_t count) {
    std::vector<double> values = uniform(count, -2, 3);
    for (double& value : values) value = -std::exp(value);
    return values;
  }

 private:
  template <typename Distribution>
  std::vector<double> draw(std::int64_t count, Distribution distribution) {
    std::vector<double> values(count);
    for (double& value : values) value = distribution(engine_);
    return values;
  }

  std::mt19937 engine_;
};

// Calls run.operator()<T>() for every storage type, or for those of states and scores.
template <typename Run>
void for_each_storage_type(const Run& run) {
  const auto traced = [&]<typename T>(const char* name) {
    SCOPED_TRACE(name);
    run.template operator()<T>();
  };
  traced.template operator()<float>("float32");
  traced.template operator()<double>("float64");
  traced.template operator()<BFloat16>("bfloat16");
  traced.template operator()<Float16>("float16");
}

inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double silu(double x) { return x / (1 + std::exp(-x)); }

}  // namespace simba::kernels
