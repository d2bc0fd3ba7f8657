// Influence of every token on the last token T of its sequence (Simba, arXiv 2505.20698, Eq. 4), as
// a base-2 logarithm:
//   dy_T(t)[d] = sum_n C_T[n] exp(A[d,n] R_t[d]) dt_t[d] B_t[n] u_t[d],   R_t = sum over k = t+1..T
//   of dt'_k score(t)   = log2 of the reduction over channels of dy_T(t)
// dt = softplus(delta + delta_bias). dt' is the decay's own: softplus(delta) (no_bias), dt (full)
// or 0 (none). Everything is evaluated in the log domain, so a score neither underflows nor needs
// an epsilon: log2(0) = -inf; NaN stays NaN.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

enum class InfluenceDecay { kNoBias, kFull, kNone };
// kMax: max |dy|; kSignedMax: max(0, max dy); kL1: sum |dy|; kL2: sqrt(sum dy^2).
enum class InfluenceReduction { kMax, kSignedMax, kL1, kL2 };

template <typename T>
struct InfluenceScoresParams {
  using Acc = AccumulateType<T>;

  Sequences sequences;
  std::int64_t batch = 0;           // B
  std::int64_t channels = 0;        // D
  std::int64_t states = 0;          // N
  Rows<const T> u, delta;           // (B, L, D); delta is raw: before bias and softplus
  Rows<const T> B, C;               // (B, L, N)
  const Acc* A = nullptr;           // (D, N) contiguous
  const Acc* delta_bias = nullptr;  // (D), optional
  InfluenceDecay decay = InfluenceDecay::kNoBias;
  InfluenceReduction reduction = InfluenceReduction::kMax;
  Acc* scores = nullptr;   // (B, L) contiguous
  Acc* partial = nullptr;  // scratch of influence_scores_scratch() elements
};

// Two passes of independent work items: (sequence, block of channels) into `partial`, then rows of
// tokens from `partial` into `scores`. Blocks are fixed by the shape alone, so results do not
// depend on the number of threads.
template <typename T>
std::int64_t influence_scores_scratch(const InfluenceScoresParams<T>& params);
template <typename T>
std::int64_t influence_scores_work_items(const InfluenceScoresParams<T>& params);
template <typename T>
void influence_scores_cpu(const InfluenceScoresParams<T>& params, std::int64_t begin,
                          std::int64_t end);

// Second pass over flat token positions [begin, end) of the B * L plane.
template <typename T>
void influence_scores_reduce_cpu(const InfluenceScoresParams<T>& params, std::int64_t begin,
                                 std::int64_t end);

}  // namespace simba::kernels
