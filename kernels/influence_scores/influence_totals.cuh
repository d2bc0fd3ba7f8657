// What the fast influence kernels know of each chunk and channel before they compute a score:
//   later  R at the chunk's end: the sum of dt' over every token of the sequence after the chunk
//   peak   a bound of log2(dt_t |u_t|) over the chunk's tokens; +inf where it would say nothing
// of each sequence and channel: slowest, the largest A log2(e) of the states that C_T does not
// silence; and of each sequence and 32 channels: gaps, for every state the largest of A log2(e)
// less the channel's slowest. Since R only grows towards older tokens and A is negative, the
// chunk's log2|dy| are at most
//   slowest later + peak + log2 of the sum over n of |C_T[n] B_t[n]| 2^(gaps[n] later).
#pragma once

#include <algorithm>

#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/influence_scores/influence_chunks.cuh"
#include "kernels/influence_scores/influence_decay.cuh"
#include "kernels/influence_scores/influence_outer.cuh"
#include "kernels/influence_scores/influence_reduce.cuh"

namespace simba::kernels::influence {

inline constexpr int kColumns = kWarpSize;  // channels that share gaps

struct Totals {
  float* later;    // (chunks, D)
  float* peak;     // (chunks, D)
  float* slowest;  // (S, D)
  float* gaps;     // (S, columns, N)
  std::int64_t columns;

  Totals(float* memory, std::int64_t chunks, std::int64_t sequences, std::int64_t channels)
      : later(memory),
        peak(later + chunks * channels),
        slowest(peak + chunks * channels),
        gaps(slowest + sequences * channels),
        columns(ceil_div(channels, kColumns)) {}
  static std::int64_t elements(std::int64_t chunks, std::int64_t sequences, std::int64_t channels) {
    return (2 * chunks + sequences) * channels + sequences * ceil_div(channels, kColumns) * kStates;
  }
};

inline constexpr int kTotalsThreads = 128;

// The sums of dt' and the peaks, a quad of channels per thread. Before maxima: scores of -inf,
// which later kernels raise.
template <typename T>
__global__ void __launch_bounds__(kTotalsThreads)
    influence_totals_kernel(const __grid_constant__ InfluenceScoresParams<T> params,
                            Totals totals) {
  let_next_kernel_begin();
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x);
  if (!chunk.exists()) return;
  const int tokens = chunk.tokens();
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  if (blockIdx.y == 0 && threadIdx.x < tokens && is_maximum(params.reduction)) {
    params.scores[flat_begin(params.sequences, chunk) + threadIdx.x] = -infinity<float>();
  }
  const std::int64_t channel = (std::int64_t{blockIdx.y} * kTotalsThreads + threadIdx.x) * kQuad;
  if (channel >= params.channels) return;

  Packet<T, kQuad> delta[kChunk], u[kChunk];
  const T* delta_next = settled(params.delta.row(batch, chunk.begin) + channel);
  const T* u_next = settled(params.u.row(batch, chunk.begin) + channel);
#pragma unroll
  for (int t = 0; t < kChunk; ++t) {
    if (t < tokens) {
      delta[t] = load_packet<kQuad>(delta_next);
      u[t] = load_packet<kQuad>(u_next);
      delta_next += params.delta.row_stride;
      u_next += params.u.row_stride;
    }
  }
  float bias[kQuad] = {}, decay_bias[kQuad] = {};
  if (params.delta_bias) load_channels(params.delta_bias + channel, bias);
  DecaySum decay[kQuad];
  constexpr int kWords = Packet<T, kQuad>::kWords;
  Packet<T, kQuad> largest_delta, largest_u;  // the latter of |u|
#pragma unroll
  for (int i = 0; i < kWords; ++i) {
    largest_delta.words[i] = Word<T>::kLowest, largest_u.words[i] = 0;
  }
#pragma unroll
  for (int c = 0; c < kQuad; ++c) {
    if (params.decay == InfluenceDecay::kFull) decay_bias[c] = bias[c];
  }
  const auto add = [&](int t) {
    float delta_t[kQuad];
    unpack(delta[t], delta_t);
#pragma unroll
    for (int c = 0; c < kQuad; ++c) decay[c].add(delta_t[c] + decay_bias[c]);
#pragma unroll
    for (int i = 0; i < kWords; ++i) {
      largest_delta.words[i] = Word<T>::max_or_nan(largest_delta.words[i], delta[t].words[i]);
      largest_u.words[i] =
          Word<T>::max_or_nan(largest_u.words[i], u[t].words[i] & Word<T>::kMagnitude);
    }
  };
  if (tokens == kChunk) {  // without a branch between the tokens
#pragma unroll
    for (int t = 0; t < kChunk; ++t) add(t);
  } else {
#pragma unroll
    for (int t = 0; t < kChunk; ++t) {
      if (t < tokens) add(t);
    }
  }
  float later[kQuad], peak[kQuad], delta_of[kQuad], u_of[kQuad];
  unpack(largest_delta, delta_of);
  unpack(largest_u, u_of);
#pragma unroll
  for (int c = 0; c < kQuad; ++c) {
    later[c] = params.decay == InfluenceDecay::kNone ? 0 : decay[c].value();
    peak[c] = outer_bound(delta_of[c], bias[c], u_of[c]);
  }
  const std::int64_t place = chunk.index * params.channels + channel;
  *reinterpret_cast<float4*>(totals.later + place) = {later[0], later[1], later[2], later[3]};
  *reinterpret_cast<float4*>(totals.peak + place) = {peak[0], peak[1], peak[2], peak[3]};
}

inline constexpr int kSuffixWarps = 16;  // at most
inline constexpr int kTogether = 16;     // loads in flight

// slowest and gaps of a sequence and 32 channels, one per lane.
template <typename T>
__device__ void find_slowest(const InfluenceScoresParams<T>& params, const Totals& totals,
                             std::int64_t s, std::int64_t column) {
  const std::int64_t channel = column * kColumns + threadIdx.x % kWarpSize;
  const bool exists = channel < params.channels;
  const T* C = params.C.row(params.sequences.batch(s), params.sequences.end(s) - 1);
  float a[kStates];
  unsigned audible = 0;
  float slowest = -infinity<float>();
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    a[n] = exists ? params.A[channel * kStates + n] * kLog2E<float> : 0;
    audible |= (to_accumulate(C[n]) != 0 ? 1u : 0u) << n;
    if (audible >> n & 1) slowest = max_or_nan(slowest, a[n]);
  }
  if (audible == 0) slowest = 0;
  if (exists) totals.slowest[s * params.channels + channel] = slowest;
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    const float gap = a[n] - slowest;
    const int largest = warp_max(ordered(!exists ? -infinity<float>() : gap <= 0 ? gap : 0));
    if (threadIdx.x % kWarpSize == 0) {
      totals.gaps[(s * totals.columns + column) * kStates + n] = from_ordered(largest);
    }
  }
}

// From sums over chunks to sums over all chunks that follow, in place: a block has 32 channels of a
// sequence, its warps a stretch of chunks each.
template <typename T>
__global__ void __launch_bounds__(kSuffixWarps* kWarpSize)
    influence_suffix_kernel(const __grid_constant__ InfluenceScoresParams<T> params,
                            Totals totals) {
  let_next_kernel_begin();
  __shared__ double sums[kSuffixWarps][kWarpSize];
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  const int warp = threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  const std::int64_t channel = std::int64_t{blockIdx.y} * kColumns + lane;
  const bool exists = channel < params.channels;
  const std::int64_t s = blockIdx.x;
  const int chunks = chunks_of(params.sequences, s);
  if (chunks == 0) return;
  float* sum = totals.later + chunks_before(params.sequences, s) * params.channels + channel;
  // From what the kernel before does not write.
  if (warp == 0) find_slowest(params, totals, s, blockIdx.y);
  wait_for_kernel_before();

  const int each = (chunks + warps - 1) / warps;
  const int begin = min(warp * each, chunks), end = min(begin + each, chunks);
  float values[kTogether];
  const auto load = [&](int last) {  // of the chunks before `last`, newest first
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const std::int64_t chunk = last - 1 - i;
      values[i] = exists && chunk >= begin ? sum[chunk * params.channels] : 0;
    }
  };
  double own = 0;
  for (int last = end; last > begin; last -= kTogether) {
    load(last);
#pragma unroll
    for (int i = 0; i < kTogether; ++i) own += values[i];
  }
  sums[warp][lane] = own;
  __syncthreads();
  double later = 0;
  for (int w = warps - 1; w > warp; --w) later += sums[w][lane];
  for (int last = end; last > begin; last -= kTogether) {
    if (each > kTogether) load(last);
#pragma unroll
    for (int i = 0; i < kTogether; ++i) {
      const std::int64_t chunk = last - 1 - i;
      if (exists && chunk >= begin) sum[chunk * params.channels] = static_cast<float>(later);
      later += values[i];
    }
  }
}

template <typename T>
cudaError_t find_totals(const InfluenceScoresParams<T>& params, const Totals& totals,
                        cudaStream_t stream) {
  const auto chunks = static_cast<unsigned>(chunk_count(params.sequences));
  const auto blocks =
      static_cast<unsigned>(ceil_div(params.channels, std::int64_t{kTotalsThreads * kQuad}));
  influence_totals_kernel<<<dim3(chunks, blocks), kTotalsThreads, 0, stream>>>(params, totals);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  const std::int64_t longest = ceil_div(params.sequences.length, kChunk);
  const auto warps =
      static_cast<unsigned>(std::min<std::int64_t>(ceil_div(longest, kTogether), kSuffixWarps));
  const dim3 grid(static_cast<unsigned>(params.sequences.count),
                  static_cast<unsigned>(totals.columns));
  return launch_dependent(influence_suffix_kernel<T>, grid, warps * kWarpSize, 0, stream, params,
                          totals);
}

}  // namespace simba::kernels::influence
