#include "kernels/influence_scores/influence_scores.h"

#include <algorithm>

#include "kernels/selective_scan/selective_scan.h"
#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr InfluenceDecay kDecays[] = {InfluenceDecay::kNoBias, InfluenceDecay::kFull,
                                      InfluenceDecay::kNone};
constexpr InfluenceReduction kReductions[] = {InfluenceReduction::kMax,
                                              InfluenceReduction::kSignedMax,
                                              InfluenceReduction::kL1, InfluenceReduction::kL2};

struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 63, channels = 17, states = 16, gap = 3;
  bool delta_bias = true, positive = false;
  double delta_mean = 1, delta_deviation = 1;
  std::vector<std::int32_t> cu_seqlens = {};
};

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

template <typename T>
struct Problem {
  using Acc = AccumulateType<T>;

  explicit Problem(const Case& c)
      : shape(c),
        sequences(c.cu_seqlens.empty() ? c.batch
                                       : static_cast<std::int64_t>(c.cu_seqlens.size()) - 1),
        u(c.batch, c.length, c.channels, c.gap),
        delta(c.batch, c.length, c.channels, c.gap + 1),
        B(c.batch, c.length, c.states, c.gap),
        C(c.batch, c.length, c.states, c.gap + 2),
        A(c.channels * c.states),
        bias(c.channels),
        scores(c.batch * c.length) {
    Normal normal(7);
    const auto unit = [&](auto...) { return c.positive ? std::abs(normal()) : normal(); };
    u.fill(unit), B.fill(unit), C.fill(unit);
    delta.fill([&](auto...) { return normal(c.delta_mean, c.delta_deviation); });
    for (std::size_t i = 0; i < A.size(); ++i) {
      A[i] = static_cast<Acc>(-(1 + static_cast<double>(i % c.states)) * std::exp(normal(0, 0.3)));
    }
    for (Acc& x : bias) x = static_cast<Acc>(normal(-4));
  }

  InfluenceScoresParams<T> params(InfluenceDecay decay, InfluenceReduction reduction) {
    InfluenceScoresParams<T> p;
    p.sequences = {sequences, shape.length,
                   shape.cu_seqlens.empty() ? nullptr : shape.cu_seqlens.data()};
    p.batch = shape.batch, p.channels = shape.channels, p.states = shape.states;
    p.u = u.view(), p.delta = delta.view(), p.B = B.view(), p.C = C.view();
    p.A = A.data();
    if (shape.delta_bias) p.delta_bias = bias.data();
    p.decay = decay, p.reduction = reduction;
    p.scores = scores.data();
    scratch.assign(influence_scores_scratch(p), static_cast<Acc>(std::nan("")));
    p.partial = scratch.data();
    return p;
  }

  Case shape;
  std::int64_t sequences;
  Plane<T> u, delta, B, C;
  std::vector<Acc> A, bias, scores, scratch;
};

template <typename T>
void run_all(const InfluenceScoresParams<T>& params) {
  influence_scores_cpu(params, 0, influence_scores_work_items(params));
  influence_scores_reduce_cpu(params, 0, params.batch * params.sequences.length);
}

template <typename T>
std::vector<AccumulateType<T>> scores_of(Problem<T>& p, InfluenceDecay decay,
                                         InfluenceReduction reduction) {
  run_all(p.params(decay, reduction));
  return p.scores;
}

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

// Inputs made to deceive what skips channels and states.
template <typename T>
struct Trap {
  const char* name;
  void (*set)(Problem<T>&);
};

template <typename T>
const std::vector<Trap<T>>& traps() {
  using P = Problem<T>;
  static constexpr auto kSame = [](P& p) {
    p.u.fill([](auto...) { return 0.75; });
    p.B.fill([](auto...) { return 0.5; }), p.C.fill([](auto...) { return 1.5; });
    p.delta.fill([](auto...) { return 0.25; });
    std::fill(p.A.begin(), p.A.end(), -1), std::fill(p.bias.begin(), p.bias.end(), -4);
  };
  static const std::vector<Trap<T>> kTraps = {
      {"as drawn", [](P&) {}},
      {"the slowest state counts nothing",
       [](P& p) {
         for (std::int64_t t = 0; t < p.shape.length; ++t) *p.B.at(0, t, 0) = from_double<T>(0);
       }},
      {"the slowest state is out of sight",
       [](P& p) { *p.C.at(0, p.shape.length - 1, 0) = from_double<T>(6e-8); }},
      {"the slowest state comes last",
       [](P& p) {
         for (std::size_t i = 0; i < p.A.size(); i += p.shape.states) {
           std::reverse(p.A.begin() + i, p.A.begin() + i + p.shape.states);
         }
       }},
      {"equal decays", [](P& p) { std::fill(p.A.begin(), p.A.end(), -1); }},
      {"equal scores", kSame},
      {"one channel ahead by a hair",
       [](P& p) {
         kSame(p);
         for (std::int64_t t = 0; t < p.shape.length; ++t) {
           *p.u.at(0, t, t % p.shape.channels) = from_double<T>(0.75 * (1 + 4 * kRounding<T>));
         }
       }},
      {"no decay", [](P& p) { std::fill(p.A.begin(), p.A.end(), 0); }},
      {"delta 0", [](P& p) { p.delta.fill([](auto...) { return 0; }); }},
      {"tiny delta", [](P& p) { p.delta.fill([](auto...) { return -90; }); }},
      {"u as wide as its type",
       [](P& p) {
         Normal normal(3);
         const double widest = std::is_same_v<T, Float16>  ? 3
                               : std::is_same_v<T, double> ? 200
                                                           : 25;
         p.u.fill([&](auto...) { return normal() * std::exp(normal(0, widest / 3)); });
       }},
      {"subnormal u",
       [](P& p) {
         const double least = std::is_same_v<T, double> ? 5e-324 : 1.4e-45;
         p.u.fill([least](auto, std::int64_t t, std::int64_t d) {
           return std::is_same_v<T, Float16> ? 0x1p-24 * ((t + d) % 5) : least * ((t * d) % 7);
         });
       }},
      {"cancelling states",
       [](P& p) {
         p.B.fill([](auto, auto, std::int64_t n) { return n % 2 ? 1 : -1; });
         p.C.fill([](auto...) { return 1; });
         std::fill(p.A.begin(), p.A.end(), -0.5);
       }},
      {"tokens without B",
       [](P& p) {
         for (std::int64_t t = 0; t < p.shape.length; t += 3) {
           for (std::int64_t n = 0; n < p.shape.states; ++n) *p.B.at(0, t, n) = from_double<T>(0);
         }
       }},
      {"products that underflow",
       [](P& p) {
         const double small = std::is_same_v<T, double> ? 1e-160 : 1e-22;
         if (std::is_same_v<T, Float16>) return;
         p.B.fill([small](auto, std::int64_t t, auto) {
           return small * static_cast<double>(1 + t % 5);
         });
         p.C.fill([small](auto...) { return small; });
       }},
      {"NaN and infinities here and there",
       [](P& p) {
         const double infinity = kInfinity;
         *p.u.at(0, 20, 7) = from_double<T>(std::nan(""));
         *p.u.at(0, 90, 43) = from_double<T>(-infinity);
         *p.delta.at(0, 50, 33) = from_double<T>(infinity);
         *p.delta.at(0, 70, 31) = from_double<T>(-infinity);
         *p.delta.at(0, 10, 16) = from_double<T>(std::nan(""));
         *p.B.at(0, 110, 3) = from_double<T>(infinity);
         *p.B.at(0, 111, 3) = from_double<T>(std::nan(""));
       }},
  };
  return kTraps;
}

// NaN as the number it is in one piece of the sums, whatever its sign and payload.
template <typename Acc>
bool same_scores(const std::vector<Acc>& a, const std::vector<Acc>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](Acc x, Acc y) {
           return std::isnan(x) ? std::isnan(y) : std::memcmp(&x, &y, sizeof x) == 0;
         });
}

// Channels that a bound skips must not have held the maximum: one at a time none is skipped.
template <typename T>
std::vector<AccumulateType<T>> channel_by_channel(Problem<T>& p, InfluenceDecay decay,
                                                  InfluenceReduction reduction) {
  using Acc = AccumulateType<T>;
  std::vector<Acc> best(p.scores.size(), static_cast<Acc>(-kInfinity));
  for (std::int64_t d = 0; d < p.shape.channels; ++d) {
    InfluenceScoresParams<T> params = p.params(decay, reduction);
    params.channels = 1;
    params.u.data += d, params.delta.data += d;
    params.A += d * params.states, params.delta_bias += d;
    run_all(params);
    for (std::size_t t = 0; t < best.size(); ++t) {
      if (std::isnan(p.scores[t]) || p.scores[t] > best[t]) best[t] = p.scores[t];
    }
  }
  return best;
}

// A last state that hardly decays and whose B is 0 adds nothing, but keeps every other state and
// channel from being skipped.
template <typename T>
std::vector<AccumulateType<T>> with_silent_state(Problem<T>& p, InfluenceDecay decay,
                                                 InfluenceReduction reduction) {
  Case shape = p.shape;
  ++shape.states;
  Problem<T> q(shape);
  const std::int64_t states = p.shape.states;
  for (std::int64_t t = 0; t < shape.length; ++t) {
    for (std::int64_t n = 0; n < states; ++n) {
      *q.B.at(0, t, n) = *p.B.at(0, t, n), *q.C.at(0, t, n) = *p.C.at(0, t, n);
    }
    *q.B.at(0, t, states) = from_double<T>(0);
  }
  for (std::int64_t d = 0; d < shape.channels; ++d) {
    for (std::int64_t n = 0; n < states; ++n) {
      q.A[d * shape.states + n] = p.A[d * states + n];
    }
    q.A[d * shape.states + states] = static_cast<AccumulateType<T>>(-1e-30);
  }
  InfluenceScoresParams<T> params = q.params(decay, reduction);
  params.u = p.u.view(), params.delta = p.delta.view(), params.delta_bias = p.bias.data();
  run_all(params);
  return q.scores;
}

template <typename T>
void skipping_changes_nothing() {
  for (const Trap<T>& trap : traps<T>()) {
    for (InfluenceDecay decay : kDecays) {
      const auto reduction = decay == InfluenceDecay::kFull ? InfluenceReduction::kSignedMax
                                                            : InfluenceReduction::kMax;
      SCOPED_TRACE(::testing::Message() << trap.name << ", decay " << static_cast<int>(decay));
      Problem<T> p({.batch = 1, .length = 129, .channels = 44});
      trap.set(p);
      const auto whole = scores_of(p, decay, reduction);
      EXPECT_TRUE(same_scores(whole, channel_by_channel(p, decay, reduction)));
      EXPECT_TRUE(same_scores(whole, with_silent_state(p, decay, reduction)));
    }
  }
}

// Far from the end a channel or two win everything, and nearly all are skipped.
template <typename T>
void skipping_changes_nothing_far_away() {
  Problem<T> p({.batch = 1, .length = 700, .channels = 140});
  const auto whole = scores_of(p, InfluenceDecay::kNoBias, InfluenceReduction::kMax);
  const auto silent = with_silent_state(p, InfluenceDecay::kNoBias, InfluenceReduction::kMax);
  EXPECT_TRUE(same_scores(whole, silent));
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
SIMBA_TEST_TYPES(InfluenceScores, SkippingChangesNothing, skipping_changes_nothing)
SIMBA_TEST_TYPES(InfluenceScores, SkippingChangesNothingFarAway, skipping_changes_nothing_far_away)
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
