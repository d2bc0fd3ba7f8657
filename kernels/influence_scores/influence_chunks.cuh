// How the fast influence kernels cut sequences: chunks of 128 tokens, 16 for each of a block's
// warps, two channels a lane. What a warp holds of its tokens.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/influence_scores/influence_scores.h"

namespace simba::kernels::influence {

inline constexpr int kWarps = 8;
inline constexpr int kThreads = kWarps * kWarpSize;
inline constexpr int kWarpTokens = 16;
inline constexpr int kChunk = kWarps * kWarpTokens;
inline constexpr int kLaneChannels = 2;
inline constexpr int kChannels = kLaneChannels * kWarpSize;

// Chunks of all sequences, or more of packed ones.
inline std::int64_t chunk_count(const Sequences& sequences) {
  if (!sequences.cu_seqlens) return sequences.count * ceil_div(sequences.length, kChunk);
  return sequences.length / kChunk + sequences.count;
}

struct Chunk {
  std::int64_t sequence = -1;  // none
  std::int64_t begin = 0, end = 0, sequence_end = 0;
  std::int64_t after = 0;  // chunks of the same sequence that follow

  __device__ bool exists() const { return sequence >= 0 && begin < end; }
};

// Chunk number `index`. Called by whole warps.
__device__ inline Chunk find_chunk(const Sequences& sequences, std::int64_t index) {
  const auto chunks_of = [&](std::int64_t s) {
    return (sequences.end(s) - sequences.begin(s) + kChunk - 1) / kChunk;
  };
  Chunk chunk;
  if (!sequences.cu_seqlens) {
    const std::int64_t each = chunks_of(0);
    chunk.sequence = index / each;
    index %= each;
  } else {
    for (std::int64_t first = 0; first < sequences.count && chunk.sequence < 0;
         first += kWarpSize) {
      const std::int64_t s = first + threadIdx.x % kWarpSize;
      const int mine = s < sequences.count ? static_cast<int>(chunks_of(s)) : 0;
      int until = mine;  // chunks of the sequences first..s
      for (int offset = 1; offset < kWarpSize; offset *= 2) {
        const int before = __shfl_up_sync(kAllLanes, until, offset);
        if (threadIdx.x % kWarpSize >= offset) until += before;
      }
      const unsigned holds = __ballot_sync(kAllLanes, index < until);
      if (holds) {
        const int lane = __ffs(static_cast<int>(holds)) - 1;
        chunk.sequence = first + lane;
        index -= __shfl_sync(kAllLanes, until - mine, lane);
      } else {
        index -= __shfl_sync(kAllLanes, until, kWarpSize - 1);
      }
    }
    if (chunk.sequence < 0) return chunk;
  }
  chunk.sequence_end = sequences.end(chunk.sequence);
  chunk.begin = sequences.begin(chunk.sequence) + index * kChunk;
  chunk.end = min(chunk.begin + kChunk, chunk.sequence_end);
  chunk.after = chunks_of(chunk.sequence) - 1 - index;
  return chunk;
}

// The calling warp's tokens of a chunk.
struct WarpSpan {
  __device__ explicit WarpSpan(const Chunk& chunk) {
    start = chunk.begin + threadIdx.x / kWarpSize * kWarpTokens;
    tokens =
        static_cast<int>(max(std::int64_t(0), min(chunk.end - start, std::int64_t{kWarpTokens})));
  }

  std::int64_t start;
  int tokens;
};

template <typename T>
using Pair = Packet<T, kLaneChannels>;

// One lane's two channels of a warp's tokens. Those that are not there read as 0.
template <typename T>
__device__ void load_tokens(const Rows<const T>& rows, std::int64_t batch, std::int64_t start,
                            int tokens, std::int64_t channel, bool exists,
                            Pair<T> (&packets)[kWarpTokens]) {
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    packets[t] = {};
    if (exists && t < tokens) {
      packets[t] = load_packet<kLaneChannels>(rows.row(batch, start + t) + channel);
    }
  }
}

// dt' of the lane's tokens, 0 where there is none.
template <typename T>
__device__ void decay_steps(const Pair<T> (&delta)[kWarpTokens], const float (&bias)[kLaneChannels],
                            int tokens, float (&steps)[kWarpTokens][kLaneChannels]) {
#pragma unroll
  for (int t = 0; t < kWarpTokens; ++t) {
    float values[kLaneChannels];
    unpack(delta[t], values);
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      // R is a sum of thousands of these: an error that all have would add up.
      steps[t][c] = t < tokens ? softplus(values[c] + bias[c]) : 0;
    }
  }
}

template <typename T>
__device__ void load_biases(const InfluenceScoresParams<T>& params, std::int64_t channel,
                            bool exists, float (&bias)[kLaneChannels],
                            float (&decay_bias)[kLaneChannels]) {
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) {
    bias[c] = exists && params.delta_bias ? params.delta_bias[channel + c] : 0;
    decay_bias[c] = params.decay == InfluenceDecay::kFull ? bias[c] : 0;
  }
}

}  // namespace simba::kernels::influence
