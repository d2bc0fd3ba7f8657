// The scores that a block raises in the fast influence kernel of maxima, and the tokens and
// channels that may still raise them: computed 32 at a time, one per lane.
#pragma once

#include <cfloat>

#include "kernels/influence_scores/influence_terms.cuh"
#include "kernels/influence_scores/influence_totals.cuh"

namespace simba::kernels::influence {

// Raises `to` to the larger; NaN is the largest.
__device__ inline void raise(float* to, float value) {
  if (value != value) {
    atomicMax(reinterpret_cast<int*>(to), 0x7fffffff);
  } else if (value += 0.0f; value >= 0) {  // -0 becomes 0
    atomicMax(reinterpret_cast<int*>(to), __float_as_int(value));
  } else {
    atomicMin(reinterpret_cast<unsigned*>(to), __float_as_uint(value));
  }
}

// A chunk's scores as far as they are known, and what its tokens' bounds share. In shared memory.
struct ChunkScores {
  Couplings couplings;
  int reached[kChunk];  // ordered; tokens that do not exist: NaN
  float most[kChunk];   // g_t of influence_bounds.cuh; +inf where nothing is known

  // What bound - g_t must exceed to raise token t's score, which is `known` (ordered) or more.
  __device__ float need(int t, int known) const {
    const float score = from_ordered(max(known, reached[t]));
    if (score != score) return infinity<float>();
    if (most[t] == infinity<float>()) return -infinity<float>();
    if (most[t] == -infinity<float>()) return FLT_MAX;  // only NaN
    return fminf(score - most[t], FLT_MAX);
  }

  // Computes token t of a channel.
  template <typename T>
  __device__ __noinline__ void compute(const InfluenceScoresParams<T>& params, const Totals& totals,
                                       const Chunk& chunk, int t, std::int64_t channel) {
    const float later = totals.later[chunk.index * params.channels + channel];
    const Term term = term_of(params, chunk, couplings, t, channel, later);
    const int value = ordered(maximand(params, term));
    if (value > reached[t]) atomicMax(&reached[t], value);
  }
};

// A block's candidates of a chunk: tokens and channels, the latter counted from the block's first.
// In shared memory.
template <int kWarps, int kChannels>  // channels of each warp
struct Candidates {
  unsigned short places[kWarps][kChannels * kChunk];
  int counts[kWarps];

  // Called by whole warps. count: of the warp's candidates so far.
  __device__ void add(bool candidate, int t, int channel, int& count) {
    const unsigned mask = __ballot_sync(kAllLanes, candidate);
    const unsigned before = (1u << threadIdx.x % kWarpSize) - 1;
    if (candidate) {
      places[threadIdx.x / kWarpSize][count + __popc(mask & before)] =
          static_cast<unsigned short>(channel * kChunk + t);
    }
    count += __popc(mask);
  }

  // Computes them all, whichever warp found them. Called by the whole block after a barrier.
  template <typename T>
  __device__ void compute(const InfluenceScoresParams<T>& params, const Totals& totals,
                          const Chunk& chunk, std::int64_t first_channel, ChunkScores& scores) {
    for (int i = threadIdx.x;; i += kWarps * kWarpSize) {
      int place = i, warp = 0;
      while (warp < kWarps && place >= counts[warp]) place -= counts[warp++];
      if (warp == kWarps) return;
      const int candidate = places[warp][place];
      scores.compute(params, totals, chunk, candidate % kChunk, first_channel + candidate / kChunk);
    }
  }
};

}  // namespace simba::kernels::influence
