// Inputs of influence_scores that its fast kernels could stumble over, and the scores' definition
// in float64: bounds of each, since where terms cancel the rounding of what is stored decides.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/influence_scores/influence_scores_cuda.h"
#include "tests/cpp/kernels_cuda/layout.h"

namespace simba::kernels {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What the fast kernel's bounds could stumble over, beside random decays.
enum class Decays {
  kRandom,
  kEqual,
  kFastestFirst,
  kSilentSlowest,  // the slowest state has C = 0
  kSpread,         // channels whose decays differ by orders of magnitude
  kGrowing,        // some channels have a state that grows
};

struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(2, 63); };
  std::int64_t channels = 40;
  std::int64_t states = 16;
  Spacing spacing = {};
  bool delta_bias = true;
  InfluenceDecay decay = InfluenceDecay::kNoBias;
  InfluenceReduction reduction = InfluenceReduction::kMax;
  double delta_mean = 0, delta_deviation = 2;
  double zeros = 0.1;  // share of u, B and C that is 0
  Decays decays = Decays::kRandom;
  double spikes = 0;      // u is scaled by 2 to the power of this times a normal number
  bool constant = false;  // all of u, B, C and delta_bias are 1, and delta is delta_mean
};

inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

template <typename T>
struct Inputs {
  using Acc = AccumulateType<T>;

  Inputs(const Case& c, const Layout& layout, unsigned seed) {
    Random random(seed);
    const auto some_zero = [&](std::vector<double> values) {
      const std::vector<double> chance = random.uniform(std::ssize(values), 0, 1);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] *= chance[i] >= c.zeros;
      return rounded<T>(values);
    };
    u = random.normal(layout.tokens() * c.channels);
    const std::vector<double> powers = random.normal(std::ssize(u), 0, c.spikes);
    for (std::size_t i = 0; i < u.size(); ++i) u[i] *= std::exp2(powers[i]);
    u = some_zero(u);
    delta =
        rounded<T>(random.normal(layout.tokens() * c.channels, c.delta_mean, c.delta_deviation));
    B = some_zero(random.normal(layout.tokens() * c.states));
    C = some_zero(random.normal(layout.tokens() * c.states));
    A = rounded<Acc>(random.decay(c.channels * c.states));
    for (std::int64_t i = 0; i < std::ssize(A); ++i) {
      const std::int64_t n = i % c.states;
      if (c.decays == Decays::kEqual) A[i] = -1;
      if (c.decays == Decays::kFastestFirst) A[i] = static_cast<double>(n - c.states);
      if (c.decays == Decays::kSilentSlowest && n == 0) A[i] = -1e-3;
      if (c.decays == Decays::kGrowing && i % 160 == 3) A[i] = 0.25;
      if (c.decays == Decays::kSpread) A[i] *= std::pow(10.0, (i / c.states * 7 % 31) / 10.0 - 2);
    }
    A = rounded<Acc>(A);
    if (c.decays == Decays::kSilentSlowest) {
      for (std::int64_t t = 0; t < layout.tokens(); ++t) C[t * c.states] = 0;
    }
    if (c.delta_bias) delta_bias = rounded<Acc>(random.normal(c.channels, -4, 1));
    if (c.constant) {
      for (std::vector<double>* values : {&u, &B, &C, &delta_bias}) {
        std::fill(values->begin(), values->end(), 1);
      }
      std::fill(delta.begin(), delta.end(), c.delta_mean);
    }
  }

  std::vector<double> u, delta, B, C, A, delta_bias;
};

double log2_softplus(double x) { return x < -30 ? x * M_LOG2E : std::log2(softplus(x)); }

// log2 of the sum of 2^value.
inline double log2_sum(const std::vector<double>& values) {
  double largest = -kInfinity;
  for (const double value : values) {
    if (std::isnan(value)) return value;
    largest = std::max(largest, value);
  }
  if (std::isinf(largest)) return largest;
  double sum = 0;
  for (const double value : values) sum += std::exp2(value - largest);
  return largest + std::log2(sum);
}

// What a score can be when each term of dy has a relative error of `error` times its exponent:
// cancellation among states leaves room.
struct Bounds {
  double low, high;
};

template <typename T>
Bounds channel_bounds(const Case& c, const Inputs<T>& in, std::int64_t t, std::int64_t last,
                      std::int64_t d, double suffix, double error) {
  const double u = in.u[t * c.channels + d];
  const double delta = in.delta[t * c.channels + d] + (c.delta_bias ? in.delta_bias[d] : 0);
  const double base = log2_softplus(delta) + std::log2(std::abs(u));
  std::vector<double> exponents;
  double largest = -kInfinity;
  for (std::int64_t n = 0; n < c.states; ++n) {
    const double product = in.C[last * c.states + n] * in.B[t * c.states + n];
    exponents.push_back(in.A[d * c.states + n] * M_LOG2E * suffix + std::log2(std::abs(product)));
    if (std::isnan(exponents.back())) return {std::nan(""), std::nan("")};
    largest = std::max(largest, exponents.back());
  }
  if (std::isnan(base)) return {base, base};
  if (std::isinf(largest) || std::isinf(base)) return {-kInfinity, -kInfinity};
  double sum = 0, magnitude = 0;
  for (std::int64_t n = 0; n < c.states; ++n) {
    const double term = std::exp2(exponents[n] - largest);
    const bool negative = (in.C[last * c.states + n] < 0) != (in.B[t * c.states + n] < 0);
    sum += negative ? -term : term;
    magnitude += term;
  }
  if (c.reduction != InfluenceReduction::kSignedMax)
    sum = std::abs(sum);
  else if (u < 0)
    sum = -sum;
  const double slack = error * (4 + std::abs(largest) + std::abs(base)) * magnitude;
  const double power = c.reduction == InfluenceReduction::kL2 ? 2 : 1;
  return {power * (base + largest + std::log2(std::max(0.0, sum - slack))),
          power * (base + largest + std::log2(std::max(0.0, sum + slack)))};
}

inline double reduce(const Case& c, const std::vector<double>& values) {
  switch (c.reduction) {
    case InfluenceReduction::kL1:
      return log2_sum(values);
    case InfluenceReduction::kL2:
      return log2_sum(values) / 2;
    default:
      break;
  }
  double largest = -kInfinity;
  for (const double value : values) largest = std::isnan(value) ? value : std::max(value, largest);
  return largest;
}

template <typename T>
std::vector<Bounds> reference(const Case& c, const Layout& layout, const Inputs<T>& in) {
  const double error = 2 * kRounding<AccumulateType<T>>;
  std::vector<Bounds> scores(layout.tokens());
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    std::vector<double> suffix(c.channels);
    const std::int64_t last = layout.end(s) - 1;
    for (std::int64_t t = last; t >= layout.begin(s); --t) {
      std::vector<double> low, high;
      for (std::int64_t d = 0; d < c.channels; ++d) {
        const Bounds bounds = channel_bounds(c, in, t, last, d, suffix[d], error);
        low.push_back(bounds.low);
        high.push_back(bounds.high);
        const double delta = in.delta[t * c.channels + d];
        const double bias = c.delta_bias && c.decay == InfluenceDecay::kFull ? in.delta_bias[d] : 0;
        if (c.decay != InfluenceDecay::kNone) suffix[d] += softplus(delta + bias);
      }
      scores[t] = {reduce(c, low), reduce(c, high)};
    }
  }
  return scores;
}

}  // namespace simba::kernels
