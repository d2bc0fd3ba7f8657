// How the fast kernels of selective_scan_backward cut the work. Every sequence is cut into chunks
// of steps and these into tiles of kTileSteps; a block of kThreads takes one chunk and
// kBlockChannels channels. Of those a lane holds two channels and four states:
//   lane bits 0, 2: group of four states    lane bits 1, 3, 4: pair of channels (of 8 in a warp)
//   register j of 2: channel 2 pair + (j ^ bit 2)
//   register i of 4: state 4 group + (i ^ bits 3, 4)
// The exclusive-ors let sums over lanes halve their registers at every exchange without selecting
// which half to send: what a lane keeps and what its partner needs lie at fixed registers. Bits 0
// and 1 take no part in them: lanes that differ in bit 0 read the same channels, those that differ
// in bit 1 the same states, and wide reads of shared memory cost half where such neighbours agree.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_scan_backward/selective_scan_backward.h"

namespace simba::kernels::scan_backward {

inline constexpr int kStates = 16;
inline constexpr int kThreads = 128;
inline constexpr int kWarps = kThreads / kWarpSize;
inline constexpr int kBlockChannels = 64;
inline constexpr int kTileSteps = 8;
inline constexpr int kLaneChannels = 2;
inline constexpr int kLaneStates = 4;
inline constexpr int kBlockStates = kBlockChannels * kStates;

struct Lane {
  __device__ explicit Lane(int thread) : warp(thread / kWarpSize), lane(thread % kWarpSize) {}

  __device__ int group() const { return (lane & 1) | (lane >> 1 & 2); }
  __device__ int parity() const { return lane >> 2 & 1; }
  __device__ int state_mask() const { return lane >> 3; }
  // Two pairs of channels make four neighbouring ones.
  __device__ int four() const { return warp * 4 + ((lane >> 1 & 1) | (lane >> 2 & 2)); }
  __device__ int half() const { return lane >> 4; }
  // Within the block.
  __device__ int channel(int j) const { return four() * 4 + half() * 2 + (j ^ parity()); }
  __device__ int state(int i) const { return group() * kLaneStates + (i ^ state_mask()); }

  int warp, lane;
};

// The states of a block in memory: [2][threads] float4, so that a warp's accesses are contiguous.
struct BlockStates {
  __device__ static void load(const float* from, float (&values)[kLaneChannels][kLaneStates]) {
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
      const float4 quad = reinterpret_cast<const float4*>(from)[j * kThreads + threadIdx.x];
      values[j][0] = quad.x;
      values[j][1] = quad.y;
      values[j][2] = quad.z;
      values[j][3] = quad.w;
    }
  }
  __device__ static void store(const float (&values)[kLaneChannels][kLaneStates], float* to) {
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
      reinterpret_cast<float4*>(to)[j * kThreads + threadIdx.x] =
          make_float4(values[j][0], values[j][1], values[j][2], values[j][3]);
    }
  }
  // Channel and state, within the block, of the element at a place of that memory.
  __device__ static void decode(int place, int& channel, int& state) {
    const Lane lane(place / kLaneStates % kThreads);
    channel = lane.channel(place / kLaneStates / kThreads);
    state = lane.state(place % kLaneStates);
  }
};

// Where a chunk lies.
struct Chunk {
  std::int64_t sequence, begin, end;  // positions of its batch row
  bool exists;
};

// The chunks of all sequences, in their order. Packed, a table of the first chunk of each sequence
// and, at its end, of their number lies on the device; the grid has room for `most`.
struct Chunks {
  Sequences sequences;
  std::int64_t steps = 0;         // of a chunk
  std::int64_t per_sequence = 0;  // unpacked
  std::int64_t most = 0;
  std::int32_t* table = nullptr;  // (S + 1), packed only

  __device__ std::int64_t first(std::int64_t s) const {
    return table ? table[s] : s * per_sequence;
  }
  __device__ Chunk operator[](std::int64_t chunk) const {
    std::int64_t s = 0;
    if (table) {
      if (chunk >= table[sequences.count]) return {0, 0, 0, false};
      // The last sequence whose first chunk is not after this one.
      std::int64_t high = sequences.count;
      while (high - s > 1) {
        const std::int64_t middle = s + (high - s) / 2;
        if (table[middle] <= chunk) {
          s = middle;
        } else {
          high = middle;
        }
      }
    } else {
      s = chunk / per_sequence;
    }
    const std::int64_t begin = sequences.begin(s) + (chunk - first(s)) * steps;
    const std::int64_t end = sequences.end(s);
    return {s, begin, begin + steps < end ? begin + steps : end, true};
  }
};

// What the kernels leave for one another. States are laid out as BlockStates. What is per tile or
// chunk state is of the channel blocks of a slice; the shares are of all channel blocks.
struct Scratch {
  float* tile_states =
      nullptr;  // (chunks, tiles, blocks, states): h before a tile, from a zero start
  float* tile_delta = nullptr;  // (chunks, tiles, blocks, channels): sum of dt before a tile
  float* states = nullptr;    // (chunks, blocks, states): h after a chunk, from a zero start; then
                              // h before it
  float* adjoints = nullptr;  // the same: a chunk's part of the gradient of h before it; then the
                              // gradient of h after it
  float* delta = nullptr;     // (chunks, blocks, channels): sum of dt
  float* shares_A = nullptr;  // (chunks, all blocks, states)
  float* shares_D = nullptr;  // (chunks, all blocks, channels)
  float* shares_bias = nullptr;  // the same
  float* shares_BC = nullptr;    // (all blocks, B L, 2, N)
};

// The channel blocks that the kernels run on at a time: their tile states bound the scratch memory.
struct Slice {
  std::int64_t first_block = 0;
  std::int64_t blocks = 0;
  std::int64_t all_blocks = 0;
};

}  // namespace simba::kernels::scan_backward
