#include <algorithm>

#include "kernels/selective_scan/selective_scan.h"
#include "tests/cpp/kernels/influence_scores/influence_problem.h"

namespace simba::kernels::testing {
namespace {

const Case kCases[] = {
    {},
    {.name = "length 0", .length = 0},
    {.name = "length 1", .length = 1},
    {.name = "length 2", .length = 2},
    {.name = "length 16", .length = 16},
    {.name = "length 17", .length = 17},
    {.name = "length 129", .length = 129},
    {.name = "length 1000", .batch = 1, .length = 1000},
    {.name = "length 1000, positive", .batch = 1, .length = 1000, .positive = true},
    {.name = "no sequence", .batch = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "5 channels", .channels = 5},
    {.name = "16 channels", .channels = 16},
    {.name = "128 channels", .channels = 128},
    {.name = "300 channels", .channels = 300},
    {.name = "no state", .states = 0},
    {.name = "1 state", .states = 1},
    {.name = "3 states", .states = 3},
    {.name = "64 states", .states = 64},
    {.name = "contiguous", .gap = 0},
    {.name = "positive", .positive = true},
    {.name = "no delta_bias", .delta_bias = false},
    {.name = "tiny delta", .delta_mean = -80, .delta_deviation = 40},
    {.name = "huge delta", .delta_mean = 300, .delta_deviation = 300},
    {.name = "packed", .batch = 1, .length = 70, .cu_seqlens = {0, 33, 33, 34, 70}},
};

double log2_softplus(double x) {
  return x < -35 ? x / std::log(2.0)
                 : std::log2(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
}

// log2|2^a + sign 2^b|, -infinity where the difference is not positive.
double log2_add(double a, double sign, double b) {
  const double peak = std::max(a, b);
  if (peak == -kInfinity) return peak;
  const double sum = std::exp2(a - peak) + sign * std::exp2(b - peak);
  return sum > 0 ? peak + std::log2(sum) : -kInfinity;
}

double reduce(const std::vector<double>& values, InfluenceReduction reduction) {
  const bool l2 = reduction == InfluenceReduction::kL2;
  if (!l2 && reduction != InfluenceReduction::kL1) {
    return values.empty() ? -kInfinity : *std::max_element(values.begin(), values.end());
  }
  double sum = -kInfinity;
  for (double value : values) sum = log2_add(sum, 1, l2 ? 2 * value : value);
  return l2 ? sum / 2 : sum;
}

// Eq. 4 of the paper in double, every state's exponent apart. A score must lie between the
// reductions of |dy| less and plus what rounding of its terms allows.
template <typename T>
void expect_definition(const Problem<T>& p, InfluenceDecay decay, InfluenceReduction reduction) {
  const Case& c = p.shape;
  for (std::int64_t s = 0; s < p.sequences; ++s) {
    const bool packed = !c.cu_seqlens.empty();
    const std::int64_t b = packed ? 0 : s;
    const std::int64_t begin = packed ? c.cu_seqlens[s] : 0;
    const std::int64_t end = packed ? c.cu_seqlens[s + 1] : c.length;
    std::vector<double> suffix(c.channels);
    for (std::int64_t t = end - 1; t >= begin; --t) {
      std::vector<double> low(c.channels), high(c.channels);
      for (std::int64_t d = 0; d < c.channels; ++d) {
        const double delta = p.delta(b, t, d), bias = c.delta_bias ? p.bias[d] : 0;
        const double outer = log2_softplus(delta + bias) + std::log2(std::abs(p.u(b, t, d)));
        std::vector<double> exponents(c.states);
        double peak = -kInfinity, largest = 0;
        for (std::int64_t n = 0; n < c.states; ++n) {
          exponents[n] = p.A[d * c.states + n] * suffix[d] / std::log(2.0) +
                         std::log2(std::abs(p.C(b, end - 1, n) * p.B(b, t, n)));
          peak = std::max(peak, exponents[n]);
        }
        double sum = 0, terms = 0;
        for (std::int64_t n = 0; n < c.states && peak > -kInfinity; ++n) {
          const double term = std::exp2(exponents[n] - peak);
          sum += p.C(b, end - 1, n) * p.B(b, t, n) < 0 ? -term : term;
          terms += term;
        }
        const double value = peak + std::log2(std::abs(sum)) + outer;
        largest = std::max({1.0, std::abs(peak), std::abs(outer)});
        const double error = (std::is_same_v<T, double> ? 1e-13 : 2e-6) * largest;
        const double slack = peak + std::log2(terms) + outer + std::log2(std::expm1(error));
        const bool counted =
            reduction != InfluenceReduction::kSignedMax || (sum < 0) == (p.u(b, t, d) < 0);
        low[d] = counted ? log2_add(value, -1, slack) : -kInfinity;
        high[d] = log2_add(counted ? value : -kInfinity, 1, slack);
        const double decayed = decay == InfluenceDecay::kNone
                                   ? 0
                                   : delta + (decay == InfluenceDecay::kFull ? bias : 0);
        if (decay != InfluenceDecay::kNone) {
          suffix[d] += std::max(decayed, 0.0) + std::log1p(std::exp(-std::abs(decayed)));
        }
      }
      const double score = p.scores[b * c.length + t];
      const double lowest = reduce(low, reduction), highest = reduce(high, reduction);
      const double rounding = std::is_same_v<T, double> ? 1e-14 : 1e-6;
      const auto moved = [rounding](double x, double sign) {
        return std::isinf(x) ? x : x + sign * rounding * std::max(1.0, std::abs(x));
      };
      ASSERT_GE(score, moved(lowest, -1)) << s << " " << t;
      ASSERT_LE(score, moved(highest, 1)) << s << " " << t;
      if (c.positive) {  // without cancellation the bound is the score's own
        const double middle = (lowest + highest) / 2;
        ASSERT_NEAR(score, middle,
                    (std::is_same_v<T, double> ? 1e-12 : 1e-5) * std::max(1.0, std::abs(middle)));
      }
    }
  }
}

template <typename T>
void check(const Case& c, InfluenceDecay decay, InfluenceReduction reduction) {
  SCOPED_TRACE(::testing::Message() << c.name << ", decay " << static_cast<int>(decay)
                                    << ", reduction " << static_cast<int>(reduction));
  Problem<T> p(c);
  scores_of(p, decay, reduction);
  expect_definition(p, decay, reduction);
}

// The base case under every option; the others under the default and, in turn, another combination.
template <typename T>
void equals_definition() {
  for (InfluenceDecay decay : kDecays) {
    for (InfluenceReduction reduction : kReductions) check<T>(kCases[0], decay, reduction);
  }
  std::size_t turn = 0;
  for (const Case& c : kCases) {
    check<T>(c, InfluenceDecay::kNoBias, InfluenceReduction::kMax);
    check<T>(c, kDecays[turn % 3], kReductions[turn % 4]);
    ++turn;
  }
}

template <typename T>
void packed_equals_singles() {
  const std::vector<std::int32_t> cu_seqlens = {0, 33, 33, 34, 70};
  for (InfluenceReduction reduction : kReductions) {
    Problem<T> p({.batch = 1, .length = 70, .channels = 150, .cu_seqlens = cu_seqlens});
    const auto packed = scores_of(p, InfluenceDecay::kNoBias, reduction);
    std::vector<AccumulateType<T>> singles(packed.size());
    for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s) {
      const std::int64_t first = cu_seqlens[s];
      InfluenceScoresParams<T> params = p.params(InfluenceDecay::kNoBias, reduction);
      params.sequences = {1, cu_seqlens[s + 1] - first, nullptr};
      params.u = p.u.view(first), params.delta = p.delta.view(first);
      params.B = p.B.view(first), params.C = p.C.view(first);
      params.scores = singles.data() + first;
      run_all(params);
    }
    EXPECT_TRUE(same_bits(packed, singles));
  }
}

template <typename T>
void any_order_of_work_items() {
  for (InfluenceReduction reduction : kReductions) {
    Problem<T> p({.batch = 3, .channels = 300});
    const auto once = scores_of(p, InfluenceDecay::kFull, reduction);
    const InfluenceScoresParams<T> params = p.params(InfluenceDecay::kFull, reduction);
    std::fill(p.scores.begin(), p.scores.end(), AccumulateType<T>{0});
    for (std::int64_t i = influence_scores_work_items(params); i-- > 0;) {
      influence_scores_cpu(params, i, i + 1);
    }
    for (std::int64_t flat = 3 * 63; flat-- > 0;)
      influence_scores_reduce_cpu(params, flat, flat + 1);
    EXPECT_TRUE(same_bits(once, p.scores));
  }
}

// What a zero, an infinity or a NaN somewhere makes of the scores.
template <typename T>
void special_values() {
  const T zero = from_double<T>(0), nan = from_double<T>(std::nan(""));
  for (InfluenceReduction reduction : kReductions) {
    SCOPED_TRACE(static_cast<int>(reduction));
    const auto full = [&](Problem<T>& p) { return scores_of(p, InfluenceDecay::kFull, reduction); };
    const Case small = {.batch = 1, .length = 20, .channels = 5, .states = 3, .positive = true};
    {
      Problem<T> p(small);  // u = 0 at one token: no influence, and nobody else is touched
      const auto before = full(p);
      for (std::int64_t d = 0; d < 5; ++d) *p.u.at(0, 4, d) = zero;
      const auto after = full(p);
      for (std::int64_t t = 0; t < 20; ++t) EXPECT_EQ(after[t], t == 4 ? -kInfinity : before[t]);
    }
    {
      Problem<T> p(small);  // B = 0 at one token
      for (std::int64_t n = 0; n < 3; ++n) *p.B.at(0, 4, n) = zero;
      EXPECT_EQ(full(p)[4], -kInfinity);
    }
    {
      Problem<T> p(small);  // C_T = 0
      for (std::int64_t n = 0; n < 3; ++n) *p.C.at(0, 19, n) = zero;
      for (auto score : full(p)) EXPECT_EQ(score, -kInfinity);
    }
    {
      Problem<T> p(small);  // dt = 0
      for (std::int64_t d = 0; d < 5; ++d) *p.delta.at(0, 4, d) = from_double<T>(-kInfinity);
      EXPECT_EQ(full(p)[4], -kInfinity);
      EXPECT_TRUE(std::isfinite(p.scores[3]));
    }
    {
      Problem<T> p(small);  // an infinite decay forgets everything before it
      for (std::int64_t d = 0; d < 5; ++d) *p.delta.at(0, 4, d) = from_double<T>(kInfinity);
      const auto scores = full(p);
      for (std::int64_t t = 0; t < 4; ++t) EXPECT_EQ(scores[t], -kInfinity);
      for (std::int64_t t = 5; t < 20; ++t) EXPECT_TRUE(std::isfinite(scores[t]));
    }
    {
      Problem<T> p(small);  // an infinite C_T makes every influence infinite, not NaN
      for (std::int64_t n = 0; n < 3; ++n) *p.C.at(0, 19, n) = from_double<T>(kInfinity);
      for (auto score : full(p)) EXPECT_EQ(score, kInfinity);
    }
    {
      Problem<T> p(small);  // NaN in u, B: that token; in delta: all up to it; in C_T: all
      *p.u.at(0, 4, 1) = nan;
      *p.B.at(0, 6, 2) = nan;
      *p.delta.at(0, 2, 3) = nan;
      const auto scores = full(p);
      for (std::int64_t t = 0; t < 20; ++t) {
        EXPECT_EQ(std::isnan(scores[t]), t <= 2 || t == 4 || t == 6) << t;
      }
      *p.C.at(0, 19, 0) = nan;
      for (auto score : full(p)) EXPECT_TRUE(std::isnan(score));
    }
  }
}

// A sum that grows to overflow leaves no NaN: everything before it is simply forgotten.
template <typename T>
void overflowing_decay() {
  Problem<T> p({.batch = 1, .length = 40, .channels = 5, .delta_bias = false});
  p.delta.fill([](auto...) { return std::is_same_v<T, double> ? 1e307 : 5e37; });
  if (std::is_same_v<T, Float16>) p.delta.fill([](auto...) { return 6e4; });
  for (InfluenceReduction reduction : kReductions) {
    for (auto score : scores_of(p, InfluenceDecay::kFull, reduction)) {
      EXPECT_FALSE(std::isnan(score));
    }
    EXPECT_TRUE(std::isfinite(p.scores[39]) || reduction == InfluenceReduction::kSignedMax);
  }
}

// Over thousands of equal steps plain addition would lose the suffix sum's last digits one way
// only.
template <typename T>
void long_sums_keep_their_digits() {
  constexpr std::int64_t kLength = 8192;
  Problem<T> p({.batch = 1, .length = kLength, .channels = 1, .states = 1, .delta_bias = false});
  const auto one = [](auto...) { return 1.0; };
  p.u.fill(one), p.B.fill(one), p.C.fill(one), p.delta.fill(one);
  p.A[0] = -1;
  const double dt = std::log1p(std::exp(1.0));
  const auto scores = scores_of(p, InfluenceDecay::kFull, InfluenceReduction::kMax);
  for (std::int64_t t = 0; t < kLength; ++t) {
    const double expected =
        std::log2(dt) - dt * static_cast<double>(kLength - 1 - t) / std::log(2.0);
    const double tolerance = std::is_same_v<T, double> ? 1e-14 : 1e-6;
    ASSERT_NEAR(scores[t], expected, tolerance * std::max(1.0, std::abs(expected))) << t;
  }
}

// For positive B, C and u, decay full, the influences (l1) of all tokens add up to y_T without D
// u_T.
template <typename T>
void influences_add_up_to_the_output() {
  Problem<T> p({.batch = 1, .length = 129, .channels = 40, .positive = true, .delta_mean = -1});
  const auto scores = scores_of(p, InfluenceDecay::kFull, InfluenceReduction::kL1);
  double influence = 0, output = 0;
  for (auto score : scores) influence += std::exp2(score);
  Plane<T> out(1, 129, 40);
  std::vector<AccumulateType<T>> last(p.A.size());
  SelectiveScanParams<T> scan;
  scan.sequences = {1, 129, nullptr};
  scan.channels = 40, scan.states = 16;
  scan.u = p.u.view(), scan.delta = p.delta.view(), scan.B = p.B.view(), scan.C = p.C.view();
  scan.out = out.rows();
  scan.A = p.A.data(), scan.delta_bias = p.bias.data(), scan.last_state = last.data();
  scan.delta_softplus = true;
  selective_scan_cpu(scan, 0, selective_scan_work_items(scan));
  for (std::int64_t d = 0; d < 40; ++d) output += out(0, 128, d);
  constexpr double kTolerance = std::is_same_v<T, double> ? 1e-12 : 1e-5 + kRounding<T>;
  EXPECT_NEAR(influence / output, 1, kTolerance);
}

using InfluenceScores = OnEveryTarget;
SIMBA_TEST_TYPES(InfluenceScores, EqualsDefinition, equals_definition)
SIMBA_TEST_TYPES(InfluenceScores, PackedEqualsSingles, packed_equals_singles)
SIMBA_TEST_TYPES(InfluenceScores, AnyOrderOfWorkItems, any_order_of_work_items)
SIMBA_TEST_TYPES(InfluenceScores, SpecialValues, special_values)
SIMBA_TEST_TYPES(InfluenceScores, OverflowingDecay, overflowing_decay)
SIMBA_TEST_TYPES(InfluenceScores, LongSumsKeepTheirDigits, long_sums_keep_their_digits)
SIMBA_TEST_TYPES(InfluenceScores, InfluencesAddUpToTheOutput, influences_add_up_to_the_output)
INSTANTIATE_TEST_SUITE_P(Target, InfluenceScores, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
