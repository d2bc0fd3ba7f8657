// The sum over the 16 states in the fast influence kernels,
//   log2|sum_n +-2^e_n|,   e_n = a[d,n] R_t[d] + log2|C_T[n] B_t[n]|,   a = A log2(e).
//
// R grows with the distance to the last token, and soon all states but the slowest few are too
// small to count: the sum stops where no state that is left can reach 2^-27 of the largest term,
// for which kept[d,n] = max of a[d,n'] over n' >= n bounds them all whatever the order of A.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"

namespace simba::kernels::influence {

inline constexpr int kStates = 16;
inline constexpr float kNegligible = 27;  // bits below the largest term

struct ChunkTile {
  float log2_cb[kChunk][kStates];  // log2|C_T B_t|
  float largest_cb[kChunk];        // of a token
  unsigned negative[kChunk];       // bit n: C_T B_t < 0
  float a[kStates][kChannels];
  float kept[kStates][kChannels];
  float totals[kWarps][kChannels];  // of dt' over each warp's tokens
  double later[kWarps][kChannels];  // parts of the sum of dt' after the chunk
};

// log2|C_T B_t| of the chunk's tokens, 16 neighbouring threads a token.
template <typename T>
__device__ void stage_states(const InfluenceScoresParams<T>& params, ChunkTile& tile,
                             const Chunk& chunk, std::int64_t batch) {
  const int n = threadIdx.x % kStates;
  const float c = to_accumulate(params.C.row(batch, chunk.sequence_end - 1)[n]);
  for (int t = threadIdx.x / kStates; t < kChunk; t += kThreads / kStates) {
    const bool exists = chunk.begin + t < chunk.end;
    const float b = exists ? to_accumulate(params.B.row(batch, chunk.begin + t)[n]) : 0;
    const float value = log2f(fabsf(c)) + log2f(fabsf(b));
    float largest = value;
#pragma unroll
    for (int offset = 1; offset < kStates; offset *= 2) {
      largest = max_or_nan(largest, __shfl_xor_sync(kAllLanes, largest, offset));
    }
    const unsigned negative = __ballot_sync(kAllLanes, (c < 0) != (b < 0));
    tile.log2_cb[t][n] = value;
    if (n == 0) {
      tile.largest_cb[t] = largest;
      tile.negative[t] = negative >> (threadIdx.x % kWarpSize) & 0xffffu;
    }
  }
}

template <typename T>
__device__ void stage_decays(const InfluenceScoresParams<T>& params, ChunkTile& tile,
                             std::int64_t first_channel) {
  const std::int64_t channel = first_channel + threadIdx.x;
  if (threadIdx.x >= kChannels) return;
  float kept = -infinity<float>();
#pragma unroll
  for (int n = kStates - 1; n >= 0; --n) {
    const float a =
        channel < params.channels ? params.A[channel * kStates + n] * kLog2E<float> : -1;
    kept = max_or_nan(kept, a);
    tile.a[n][threadIdx.x] = a;
    tile.kept[n][threadIdx.x] = kept;
  }
}

// The sum over states as sum * 2^largest, or of nothing but zeros as sum = 0.
struct Term {
  float largest;
  float sum;
};

// Of one token in two channels. Called by whole warps, which go on as long as one lane has to.
__device__ inline void add_states(const ChunkTile& tile, int t, int column,
                                  const float (&later)[kLaneChannels],
                                  Term (&terms)[kLaneChannels]) {
  const unsigned negative = tile.negative[t];
  const float bound = tile.largest_cb[t] + kNegligible;
#pragma unroll
  for (Term& term : terms) term = {-infinity<float>(), 0};
#pragma unroll 1
  for (int n = 0; n < kStates; ++n) {
    bool goes_on = n == 0;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      // Not "below": NaN goes on.
      goes_on |= !(fmaf(tile.kept[n][column + c], later[c], bound) <= terms[c].largest);
    }
    if (!__any_sync(kAllLanes, goes_on)) break;
    const float log2_cb = tile.log2_cb[t][n];
    const float sign = negative >> n & 1 ? -1.0f : 1.0f;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      const float exponent = fmaf(tile.a[n][column + c], later[c], log2_cb);
      const float largest = fmaxf(terms[c].largest, exponent);
      const float factor = factored_exponent(largest);
      terms[c].sum =
          terms[c].sum * fast_exp2(terms[c].largest - factor) + sign * fast_exp2(exponent - factor);
      terms[c].largest = largest;
    }
  }
}

// log2|dy| as the reduction takes it: of its square for kL2, -inf for a negative one with
// kSignedMax.
__device__ inline float log2_contribution(const Term& term, float log2_dt_u, bool u_negative,
                                          InfluenceReduction reduction) {
  const float value = log2_dt_u + factored_exponent(term.largest) + log2f(fabsf(term.sum));
  const bool negative = u_negative != (term.sum < 0);
  if (reduction == InfluenceReduction::kSignedMax && negative && value == value) {
    return -infinity<float>();
  }
  return reduction == InfluenceReduction::kL2 ? 2 * value : value;
}

// What a lane knows of its channels while a warp walks its tokens.
struct LaneChannels {
  float bias[kLaneChannels];
  float slowest[kLaneChannels];  // a of state 0
  float others[kLaneChannels];   // bound of the other states'
};

// log2|dy| where state 0 alone counts and dt |u| is an ordinary number. Says whether that is so.
__device__ inline bool lone_state(const ChunkTile& tile, int t, const LaneChannels& channels, int c,
                                  float later, float delta, float u, InfluenceReduction reduction,
                                  float& value) {
  const float exponent = fmaf(channels.slowest[c], later, tile.log2_cb[t][0]);
  const float rest = fmaf(channels.others[c], later, tile.largest_cb[t] + kNegligible);
  const float dt_u = fast_softplus(delta + channels.bias[c]) * fabsf(u);
  value = exponent + fast_log2(dt_u);
  const bool negative = (u < 0) != ((tile.negative[t] & 1) != 0);
  if (reduction == InfluenceReduction::kSignedMax && negative) value = -infinity<float>();
  if (reduction == InfluenceReduction::kL2) value *= 2;
  return rest <= exponent && ((dt_u >= 0x1p-100f && dt_u <= 0x1p100f) || (u == 0 && dt_u == 0));
}

}  // namespace simba::kernels::influence
