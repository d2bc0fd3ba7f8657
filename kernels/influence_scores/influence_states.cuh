// The sum over the 16 states in the fast influence kernels, of one token per lane:
//   sum over n of C_T[n] B_t[n] 2^(a[d,n] R),   a = A log2(e).
//
// Factored by the slowest state's decay, the sum is of C_T B_t 2^((a - slowest) R), whose powers are
// at most 1. R grows with the distance to the last token, and soon all states but the slowest few
// are below 2^-40: those are left out, which counts only where the others' C_T B_t are small too.
// There, and where numbers leave the ordinary range, the terms' logarithms are taken one by one.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"

namespace simba::kernels::influence {

inline constexpr float kLeftOut = -40;      // log2 of the powers that are not summed
inline constexpr float kCounts = 0x1p-13f;  // share of sum |C_T B_t| that the sum's terms must reach

// C_T B_t of a warp's tokens.
struct Coefficients {
  float values[kStates][kWarpSize];
};

// What a lane knows of its token's coefficients.
struct Token {
  std::int64_t batch, position, last;  // position and last of the sequence: in the row
  bool exists;
  float size;     // sum |C_T B_t|
  bool ordinary;  // that is neither tiny nor huge, or is an exact 0
};

// B and C of the lane's own token into the lane's own column: needs no barrier.
template <typename T>
__device__ Token stage_token(const InfluenceScoresParams<T>& params, const Chunk& chunk,
                             Coefficients& coefficients) {
  const int lane = threadIdx.x % kWarpSize;
  Token token{params.sequences.batch(chunk.sequence), chunk.begin + lane, chunk.sequence_end - 1,
              chunk.begin + lane < chunk.end, 0, true};
  const T* C = params.C.row(token.batch, token.last);
  const T* B = params.B.row(token.batch, token.exists ? token.position : token.last);
  bool zero = true;
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    const float b = to_accumulate(B[n]), c = to_accumulate(C[n]);
    zero &= b == 0 || c == 0;
    coefficients.values[n][lane] = b * c;
    token.size += fabsf(b * c);
  }
  token.ordinary = (token.size >= 0x1p-40f && token.size <= 0x1p40f) || zero;
  return token;
}

// A log2(e) of a pair of channels, a state of one of them each lane.
struct PairStates {
  float gap;      // a less the channel's slowest
  unsigned live;  // states that are summed, of either channel

  // earliest: R of the newest token, the smallest.
  template <typename T>
  __device__ PairStates(const InfluenceScoresParams<T>& params, std::int64_t channel,
                        const float (&slowest)[kPair], const float (&earliest)[kPair]) {
    const int lane = threadIdx.x % kWarpSize;
    const bool second = lane >= kStates;
    const float a = params.A[channel * kStates + lane] * kLog2E<float>;
    gap = a - (second ? slowest[1] : slowest[0]);
    // Not "above": NaN is summed.
    const unsigned both =
        __ballot_sync(kAllLanes, !(gap * (second ? earliest[1] : earliest[0]) <= kLeftOut));
    live = (both | both >> kStates) & 0xffffu;
  }
};

struct Sums {
  float sum[kPair] = {};
  float size[kPair] = {};  // of the terms' absolute values
};

// Called by whole warps.
__device__ inline Sums sum_states(const PairStates& states, const Coefficients& coefficients,
                                  const float (&R)[kPair]) {
  const int lane = threadIdx.x % kWarpSize;
  Sums sums;
  for (unsigned live = states.live; live != 0; live &= live - 1) {
    const int n = __ffs(static_cast<int>(live)) - 1;
    const float coefficient = coefficients.values[n][lane];
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      const float power = fast_exp2(__shfl_sync(kAllLanes, states.gap, c * kStates + n) * R[c]);
      sums.sum[c] = fmaf(coefficient, power, sums.sum[c]);
      sums.size[c] = fmaf(fabsf(coefficient), power, sums.size[c]);
    }
  }
  return sums;
}

// log2|dy| and its sign, whatever the numbers: the largest term is factored out.
template <typename T>
__device__ __noinline__ float log2_of_any(const InfluenceScoresParams<T>& params,
                                          const Token& token, std::int64_t channel, float R,
                                          float delta, float u, bool& negative) {
  const T* B = params.B.row(token.batch, token.position);
  const T* C = params.C.row(token.batch, token.last);
  const auto exponent = [&](int n) {
    const float a = params.A[channel * kStates + n] * kLog2E<float>;
    return fmaf(a, R, log2f(fabsf(to_accumulate(C[n]))) + log2f(fabsf(to_accumulate(B[n]))));
  };
  float largest = -infinity<float>();
  for (int n = 0; n < kStates; ++n) largest = max_or_nan(largest, exponent(n));
  const float factor = factored_exponent(largest);
  float sum = 0;
  for (int n = 0; n < kStates; ++n) {
    const float term = exp2f(exponent(n) - factor);
    sum += (to_accumulate(C[n]) < 0) != (to_accumulate(B[n]) < 0) ? -term : term;
  }
  negative = (u < 0) != (sum < 0);
  return fast_log2_softplus(delta) + log2f(fabsf(u)) + factor + log2f(fabsf(sum));
}

}  // namespace simba::kernels::influence
