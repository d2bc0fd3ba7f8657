// Inputs of influence_scores for its tests, and the whole operator in one call.
#pragma once

#include "kernels/influence_scores/influence_scores.h"
#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr InfluenceDecay kDecays[] = {InfluenceDecay::kNoBias, InfluenceDecay::kFull,
                                             InfluenceDecay::kNone};
inline constexpr InfluenceReduction kReductions[] = {
    InfluenceReduction::kMax, InfluenceReduction::kSignedMax, InfluenceReduction::kL1,
    InfluenceReduction::kL2};

struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 63, channels = 17, states = 16, gap = 3;
  bool delta_bias = true, positive = false;
  double delta_mean = 1, delta_deviation = 1;
  std::vector<std::int32_t> cu_seqlens = {};
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

}  // namespace simba::kernels::testing
