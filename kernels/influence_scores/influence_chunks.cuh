// How the fast influence kernels cut sequences: chunks of 16 tokens, counted from each sequence's
// begin, and channels in quads, a quad per lane.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/influence_scores/influence_scores.h"

namespace simba::kernels::influence {

inline constexpr int kStates = 16;
inline constexpr int kChunk = 16;
inline constexpr int kQuad = 4;

// Chunks of all sequences, or more of packed ones.
inline std::int64_t chunk_count(const Sequences& sequences) {
  if (!sequences.cu_seqlens) return sequences.count * ceil_div(sequences.length, kChunk);
  return sequences.length / kChunk + sequences.count;
}

__device__ inline int chunks_of(const Sequences& sequences, std::int64_t s) {
  return static_cast<int>((sequences.end(s) - sequences.begin(s) + kChunk - 1) / kChunk);
}

struct Chunk {
  std::int64_t sequence = -1;  // none
  std::int64_t index = 0;      // among the chunks of all sequences
  std::int64_t begin = 0, end = 0, sequence_end = 0;
  int after = 0;  // chunks of the same sequence that follow

  __device__ bool exists() const { return sequence >= 0 && begin < end; }
  __device__ int tokens() const { return static_cast<int>(end - begin); }
};

// `place`: of the chunk in its sequence.
__device__ inline Chunk make_chunk(const Sequences& sequences, std::int64_t s, std::int64_t index,
                                   int place) {
  Chunk chunk;
  chunk.sequence = s;
  chunk.index = index;
  chunk.sequence_end = sequences.end(s);
  chunk.begin = sequences.begin(s) + std::int64_t{place} * kChunk;
  chunk.end = min(chunk.begin + kChunk, chunk.sequence_end);
  chunk.after = chunks_of(sequences, s) - 1 - place;
  return chunk;
}

// Of a warp's lanes: the sum of `value` over this lane and those before it.
__device__ inline int sum_until(int value) {
#pragma unroll
  for (int offset = 1; offset < kWarpSize; offset *= 2) {
    const int before = __shfl_up_sync(kAllLanes, value, offset);
    if (threadIdx.x % kWarpSize >= offset) value += before;
  }
  return value;
}

// Chunks of the sequences before s. Called by whole warps.
__device__ inline std::int64_t chunks_before(const Sequences& sequences, std::int64_t s) {
  if (!sequences.cu_seqlens) return s * chunks_of(sequences, 0);
  std::int64_t sum = 0;
  for (std::int64_t i = threadIdx.x % kWarpSize; i < s; i += kWarpSize) {
    sum += chunks_of(sequences, i);
  }
  return warp_sum(sum);
}

// Chunk number `index`, which is none if there are not so many. Called by whole warps.
__device__ inline Chunk find_chunk(const Sequences& sequences, std::int64_t index) {
  if (!sequences.cu_seqlens) {
    const unsigned each = chunks_of(sequences, 0);
    const unsigned s = static_cast<unsigned>(index) / each;
    return make_chunk(sequences, s, index, static_cast<unsigned>(index) % each);
  }
  std::int64_t place = index;
  for (std::int64_t first = 0; first < sequences.count; first += kWarpSize) {
    const std::int64_t s = first + threadIdx.x % kWarpSize;
    const int mine = s < sequences.count ? chunks_of(sequences, s) : 0;
    const int until = sum_until(mine);
    const unsigned holds = __ballot_sync(kAllLanes, place < until);
    if (holds) {
      const int lane = __ffs(static_cast<int>(holds)) - 1;
      place -= __shfl_sync(kAllLanes, until - mine, lane);
      return make_chunk(sequences, first + lane, index, static_cast<int>(place));
    }
    place -= __shfl_sync(kAllLanes, until, kWarpSize - 1);
  }
  return {};
}

// The chunk of sequence s after which `after` more follow. Called by whole warps.
__device__ inline Chunk chunk_from_end(const Sequences& sequences, std::int64_t s, int after) {
  const int place = chunks_of(sequences, s) - 1 - after;
  if (place < 0) return {};
  return make_chunk(sequences, s, chunks_before(sequences, s) + place, place);
}

// The chunk's first token among all B * L.
__device__ inline std::int64_t flat_begin(const Sequences& sequences, const Chunk& chunk) {
  return sequences.batch(chunk.sequence) * sequences.length + chunk.begin;
}

// Neighbouring elements of a row.
template <int kCount, typename T>
__device__ inline void load_channels(const T* from, float (&values)[kCount]) {
  unpack(load_packet<kCount>(from), values);
}

// A pointer to global memory as one number: computed anew from base, row and stride at every use,
// it would cost more than what is loaded from it.
template <typename T>
__device__ inline const T* settled(const T* pointer) {
  std::size_t address = __cvta_generic_to_global(pointer);
  asm volatile("" : "+l"(address));
  return static_cast<const T*>(__cvta_global_to_generic(address));
}

// Floats in the order of signed integers, NaN above all.
__device__ inline int ordered(float value) {
  const int bits = __float_as_int(value);
  return value != value ? 0x7fffffff : bits ^ (bits >> 31 & 0x7fffffff);
}
__device__ inline float from_ordered(int bits) {
  return __int_as_float(bits ^ (bits >> 31 & 0x7fffffff));
}

__device__ inline bool is_finite(float value) { return value - value == 0; }

}  // namespace simba::kernels::influence
