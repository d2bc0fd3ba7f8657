// Channels and states that bounds leave out of influence_scores must not have mattered.
#include <algorithm>
#include <cstring>

#include "tests/cpp/kernels/influence_scores/influence_problem.h"

namespace simba::kernels::testing {
namespace {

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

using InfluenceSkipping = OnEveryTarget;
SIMBA_TEST_TYPES(InfluenceSkipping, ChangesNothing, skipping_changes_nothing)
SIMBA_TEST_TYPES(InfluenceSkipping, ChangesNothingFarAway, skipping_changes_nothing_far_away)
INSTANTIATE_TEST_SUITE_P(Target, InfluenceSkipping, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
