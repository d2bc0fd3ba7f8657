// The sum over the 16 states in the fast influence kernels, of one token per lane:
//   sum over n of C_T[n] B_t[n] 2^(a[d,n] R),   a = A log2(e).
//
// Factored by the decay of the slowest state that C_T does not silence, the sum is of
// C_T B_t 2^((a - slowest) R), whose powers are at most 1. R grows with the distance to the last
// token, and soon all states but the slowest few are below 2^-40: those are left out, unless C_T
// B_t of the others are so small that they would count. There, and where numbers leave the ordinary
// range, the terms' logarithms are taken one by one.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"

namespace simba::kernels::influence {

inline constexpr float kLeftOut = -40;    // log2 of the powers that are not summed
inline constexpr float kNegligible = 27;  // bits below the summed terms

// Floats in the order of signed integers, NaN above all.
__device__ inline int ordered(float value) {
  const int bits = __float_as_int(value);
  return value != value ? 0x7fffffff : bits ^ (bits >> 31 & 0x7fffffff);
}
__device__ inline float from_ordered(int bits) {
  return __int_as_float(bits ^ (bits >> 31 & 0x7fffffff));
}

// C_T B_t of a warp's tokens.
struct Coefficients {
  float values[kStates][kWarpSize];
};

// What a lane knows of its token.
template <typename T>
struct Token {
  const T *delta, *u, *B, *C;  // its rows; C: of the sequence's last token
  bool exists;
  unsigned audible = 0;  // bit n: C_T[n] is not 0
  float size = 0;        // sum |C_T B_t|

  __device__ bool ordinary() const { return size >= 0x1p-40f && size <= 0x1p40f; }
  // log2(size), or more.
  __device__ float largest() const { return ordinary() ? fast_log2(size) : infinity<float>(); }
};

template <typename T>
__device__ void load_states(const T* from, bool packets, float (&values)[kStates]) {
  if (packets) {
#pragma unroll
    for (int i = 0; i < kStates; i += 8) {
      float eight[8];
      unpack(load_packet<8>(from + i), eight);
#pragma unroll
      for (int k = 0; k < 8; ++k) values[i + k] = eight[k];
    }
  } else {
#pragma unroll
    for (int n = 0; n < kStates; ++n) values[n] = to_accumulate(from[n]);
  }
}

// The lane's own token; a lane without one stands for the chunk's last. Its coefficients go into
// the lane's own column: needs no barrier. packets: rows of B and C can be loaded eight elements at
// a time.
template <typename T>
__device__ Token<T> stage_token(const InfluenceScoresParams<T>& params, const Chunk& chunk,
                                bool packets, Coefficients& coefficients) {
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t position = min(chunk.begin + lane, chunk.end - 1);
  Token<T> token{params.delta.row(batch, position), params.u.row(batch, position),
                 params.B.row(batch, position), params.C.row(batch, chunk.sequence_end - 1),
                 chunk.begin + lane < chunk.end};
  float B[kStates], C[kStates];
  load_states(token.C, packets, C);
  load_states(token.B, packets, B);
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    token.audible |= (C[n] != 0 ? 1u : 0u) << n;
    const float product = C[n] * B[n];
    coefficients.values[n][lane] = product;
    token.size += fabsf(product);
  }
  return token;
}

// The decays of a pair of channels, a state of one of them each lane.
struct PairStates {
  float gap;         // a less the channel's slowest
  unsigned live;     // states that are summed, of either channel
  float negligible;  // share of sum |C_T B_t| that the summed terms must reach, or more are needed

  // a: this lane's. earliest: R of the newest token, the smallest.
  __device__ PairStates(float a, unsigned audible, const float (&slowest)[kPair],
                        const float (&earliest)[kPair]) {
    const int lane = threadIdx.x % kWarpSize;
    const bool second = lane >= kStates;
    gap = a - (second ? slowest[1] : slowest[0]);
    const float exponent = gap * (second ? earliest[1] : earliest[0]);
    const bool heard = audible >> lane % kStates & 1;
    const bool summed = heard && !(exponent <= kLeftOut);  // NaN is summed
    const unsigned both = __ballot_sync(kAllLanes, summed);
    live = (both | both >> kStates) & 0xffffu;
    const int left_out = ordered(heard && !summed ? exponent : -infinity<float>());
    negligible = fast_exp2(kNegligible + from_ordered(warp_max(left_out)));
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

// log2|dy| and its sign, whatever the numbers: the largest term is factored out. delta: with bias.
// A: of the channel.
template <typename T>
__device__ __noinline__ float log2_of_any(const float* A, const T* B, const T* C, float R,
                                          float delta, float u, bool& negative) {
  const auto exponent = [&](int n) {
    return fmaf(A[n] * kLog2E<float>, R,
                log2f(fabsf(to_accumulate(C[n]))) + log2f(fabsf(to_accumulate(B[n]))));
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
