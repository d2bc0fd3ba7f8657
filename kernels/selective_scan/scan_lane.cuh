// The lanes of a warp that scans: which channel and states each has, and sums over a channel's
// lanes.
#pragma once

#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// A lane's place: 16-byte shared loads cost half where lanes i and i ^ 1, or i and i ^ 2, have the
// same address. So lane bit 0 chooses among channels and bit 1 among states.
template <typename Shape>
struct ScanLane {
  static constexpr int kChannelLanes = Shape::kChannelLanes;
  static_assert(kChannelLanes == 4 || kChannelLanes == 8 || kChannelLanes == 16);
  // Lane bits that choose among states, most significant of the reduction first.
  static constexpr int kBits = kChannelLanes == 4 ? 2 : kChannelLanes == 8 ? 3 : 4;

  __device__ static constexpr int state_bit(int i) {
    constexpr int kFour[4] = {1, 3, 4, 4}, kSixteen[4] = {1, 2, 3, 4};
    return kChannelLanes == 16 ? kSixteen[i] : kFour[i];
  }
  __device__ static int bit(int b) { return threadIdx.x >> b & 1; }

  __device__ static int channel() {
    if constexpr (kChannelLanes == 4) return bit(0) | bit(2) << 1 | bit(4) << 2;
    if constexpr (kChannelLanes == 8) return bit(0) | bit(2) << 1;
    return bit(0);
  }
  __device__ static int state() {
    int state = 0;
#pragma unroll
    for (int i = 0; i < kBits; ++i) state |= bit(state_bit(i)) << i;
    return state;
  }
};

// Sums y over the lanes of each channel. y holds kCount steps; afterwards y[0] is the sum of the
// step whose number among kCount is returned (of all lanes with the same number, equal sums).
template <typename Shape, int kCount>
__device__ int sum_states(float* y) {
  using Lane = ScanLane<Shape>;
  int step = 0;
  int count = kCount;
#pragma unroll
  for (int i = 0; i < Lane::kBits; ++i) {
    const int offset = 1 << Lane::state_bit(i);
    if (count > 1) {
      count /= 2;
      const bool upper = Lane::bit(Lane::state_bit(i));
#pragma unroll
      for (int k = 0; k < kCount / 2; ++k) {
        if (k < count) {
          const float sent = upper ? y[k] : y[k + count];
          const float kept = upper ? y[k + count] : y[k];
          y[k] = kept + __shfl_xor_sync(kAllLanes, sent, offset);
        }
      }
      step += upper ? count : 0;
    } else {
      y[0] += __shfl_xor_sync(kAllLanes, y[0], offset);
    }
  }
  return step;
}

__device__ inline void load_four(const float* from, float* to) {
  const float4 four = *reinterpret_cast<const float4*>(from);
  to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}

// A value that the compiler keeps instead of computing it again.
__device__ inline int kept(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

}  // namespace simba::kernels
