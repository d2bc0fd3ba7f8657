// A warp's work on a pair of channels in the fast influence kernels, a token per lane: bounds, and
// log2|dy| where they do not rule it out.
#pragma once

#include "kernels/influence_scores/influence_states.cuh"
#include "kernels/influence_scores/influence_totals.cuh"

namespace simba::kernels::influence {

// A pair of channels: loads first, since the next pair's travel while one is computed.
template <typename T>
struct PairWork {
  std::int64_t channel;
  float delta[kPair], u[kPair];
  float a;     // of one state of one channel
  float bias;  // of one channel

  __device__ void load(const InfluenceScoresParams<T>& params, const Token<T>& token,
                       std::int64_t first_channel) {
    channel = first_channel;
    load_pair(token.delta + channel, token.exists, delta);
    load_pair(token.u + channel, token.exists, u);
    const int lane = threadIdx.x % kWarpSize;
    a = params.A[channel * kStates + lane] * kLog2E<float>;
    bias = params.delta_bias ? params.delta_bias[channel + lane % kPair] : 0;
  }
};

// The sum of `step` over the lanes after this one, and none of them subtracted.
__device__ inline float sum_after(float step) {
  const int lane = threadIdx.x % kWarpSize;
#pragma unroll
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const float after = __shfl_down_sync(kAllLanes, step, offset);
    if (lane + offset < kWarpSize) step += after;
  }
  const float later = __shfl_down_sync(kAllLanes, step, 1);
  return lane == kWarpSize - 1 ? 0 : later;
}

// Of log2|dy| / (sum |C_T B_t|) where the decay is 2^decay: more than it can be, far beyond
// rounding.
__device__ inline float bound_of(float decay, float peak) {
  return decay + peak + fmaf(fabsf(decay), 0x1p-18f, 0x1p-4f);
}

// What a lane knows of its pair of channels, handed to all lanes when the pair is computed. Nothing
// of channels that do not exist.
struct LanePair {
  float later[kPair], peak[kPair], slowest[kPair];
  float bound;  // bound_of, for the whole chunk; -inf where the pair does not exist

  __device__ LanePair(const Totals& totals, const Chunk& chunk, std::int64_t channels,
                      std::int64_t channel)
      : bound(-infinity<float>()) {
    if (channel >= channels) return;
    const std::int64_t place = chunk.index * channels + channel;
    load(totals.later + place, later);
    load(totals.peak + place, peak);
    load(totals.slowest + chunk.sequence * channels + channel, slowest);
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      bound = max_or_nan(bound, bound_of(slowest[c] * later[c], peak[c]));
    }
  }

 private:
  // Channels are even: 8-byte loads.
  __device__ static void load(const float* from, float (&values)[kPair]) {
    const float2 two = *reinterpret_cast<const float2*>(from);
    values[0] = two.x, values[1] = two.y;
  }
};

// log2|dy| of the lane's token in a pair of channels, as the reduction takes it: of its square for
// kL2, -inf for a negative one with kSignedMax. `largest`: log2 of the token's sum |C_T B_t|, or
// more. False, and nothing, where no token of the warp could reach `enough`.
template <typename T>
__device__ bool contributions(const InfluenceScoresParams<T>& params, const Token<T>& token,
                              const Coefficients& coefficients, const PairWork<T>& work,
                              const LanePair& own, int pair, float largest, float enough,
                              float (&values)[kPair]) {
  float later[kPair], slowest[kPair], bias[kPair], R[kPair];
  bool reaches = false;
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    later[c] = __shfl_sync(kAllLanes, own.later[c], pair);
    slowest[c] = __shfl_sync(kAllLanes, own.slowest[c], pair);
    bias[c] = __shfl_sync(kAllLanes, work.bias, c);
    const float peak = __shfl_sync(kAllLanes, own.peak[c], pair);
    if (params.decay == InfluenceDecay::kNone) {
      R[c] = 0;
    } else {
      const bool full = params.decay == InfluenceDecay::kFull;
      const float step = decay_step(work.delta[c], full ? bias[c] : 0);
      R[c] = later[c] + sum_after(token.exists ? step : 0);
    }
    reaches |= !(bound_of(slowest[c] * R[c], peak) + largest <= enough);
  }
  if (!__any_sync(kAllLanes, reaches)) return false;

  const PairStates states(work.a, token.audible, slowest, later);
  const Sums sums = sum_states(states, coefficients, R);
  bool ordinary = token.ordinary();
  bool negative[kPair];
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    const float size = fast_softplus(work.delta[c] + bias[c]) * fabsf(work.u[c]);
    values[c] = fmaf(slowest[c], R[c], fast_log2(size * fabsf(sums.sum[c])));
    negative[c] = (work.u[c] < 0) != (sums.sum[c] < 0);
    ordinary &= sums.size[c] >= fmaxf(states.negligible * token.size, 0x1p-100f) &&
                ((size >= 0x1p-50f && size <= 0x1p50f) || (work.u[c] == 0 && size == 0));
  }
  if (!ordinary && token.exists) {
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      values[c] = log2_of_any(params.A + (work.channel + c) * kStates, token.B, token.C, R[c],
                              work.delta[c] + bias[c], work.u[c], negative[c]);
    }
  }
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    if (params.reduction == InfluenceReduction::kL2) values[c] *= 2;
    if (params.reduction == InfluenceReduction::kSignedMax && negative[c] && values[c] == values[c])
      values[c] = -infinity<float>();
  }
  return true;
}

}  // namespace simba::kernels::influence
