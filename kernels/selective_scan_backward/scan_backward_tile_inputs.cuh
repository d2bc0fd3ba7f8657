// A tile's inputs in shared memory, in float, as the lanes of scan_backward_chunks.cuh read them:
// each value in one copy per exclusive-or that reads it, laid out so that neither writing nor
// reading meets two rows of one bank.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_chunks.cuh"

namespace simba::kernels::scan_backward {

// Neighbouring channels that one thread stages, of one step.
inline constexpr int kStageChannels = 4;
inline constexpr int kFours = kBlockChannels / kStageChannels;

static_assert(kThreads == kTileSteps * kFours);
static_assert(kThreads == kTileSteps * kStates);

__device__ inline float4 make_quad(const float (&from)[4]) {
  return make_float4(from[0], from[1], from[2], from[3]);
}
__device__ inline void take_quad(const float4& quad, float (&to)[4]) {
  to[0] = quad.x;
  to[1] = quad.y;
  to[2] = quad.z;
  to[3] = quad.w;
}

// B or C, once for each state mask: copy m holds state n of a group of four at n ^ m.
struct TileStates {
  float values[kTileSteps][kLaneStates][kStates];

  __device__ void put(int step, int state, float value) {
#pragma unroll
    for (int m = 0; m < kLaneStates; ++m) values[step][m][state ^ m] = value;
  }
  __device__ void get(int step, const Lane& lane, float (&to)[kLaneStates]) const {
    take_quad(*reinterpret_cast<const float4*>(
                  &values[step][lane.state_mask()][lane.group() * kLaneStates]),
              to);
  }
};

// dt and dt u of pairs of channels, {dt, dt, dt u, dt u}: once in their order and once reversed.
struct TileSteps {
  float4 values[kTileSteps][2][2][kFours];  // half of a four, reversed, four

  __device__ static int place(int reversed, int four) { return four ^ (reversed * 4); }

  __device__ void put(int step, int four, const float (&dt)[kStageChannels],
                      const float (&dt_u)[kStageChannels]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = 2 * half;
      values[step][half][0][place(0, four)] = make_float4(dt[i], dt[i + 1], dt_u[i], dt_u[i + 1]);
      values[step][half][1][place(1, four)] = make_float4(dt[i + 1], dt[i], dt_u[i + 1], dt_u[i]);
    }
  }
  __device__ void get(int step, const Lane& lane, float (&dt)[kLaneChannels],
                      float (&dt_u)[kLaneChannels]) const {
    const float4 quad = values[step][lane.half()][lane.parity()][place(lane.parity(), lane.four())];
    dt[0] = quad.x;
    dt[1] = quad.y;
    dt_u[0] = quad.z;
    dt_u[1] = quad.w;
  }
  // dt as it was put.
  __device__ void get_dt(int step, int four, float (&dt)[kStageChannels]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4& quad = values[step][half][0][place(0, four)];
      dt[2 * half] = quad.x;
      dt[2 * half + 1] = quad.y;
    }
  }
};

// dy of pairs of channels, in their order and then reversed.
struct TileGradients {
  float4 values[kTileSteps][2][kFours];  // half of a four, four

  __device__ static int place(int half, int four) { return four ^ (half * 4); }

  __device__ void put(int step, int four, const float (&dy)[kStageChannels]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float first = dy[2 * half], second = dy[2 * half + 1];
      values[step][half][place(half, four)] = make_float4(first, second, second, first);
    }
  }
  __device__ void get(int step, const Lane& lane, float (&dy)[kLaneChannels]) const {
    const float2 pair = reinterpret_cast<const float2*>(
        &values[step][lane.half()][place(lane.half(), lane.four())])[lane.parity()];
    dy[0] = pair.x;
    dy[1] = pair.y;
  }
  // As it was put.
  __device__ void get_dy(int step, int four, float (&dy)[kStageChannels]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4& quad = values[step][half][place(half, four)];
      dy[2 * half] = quad.x;
      dy[2 * half + 1] = quad.y;
    }
  }
};

struct TileInputs {
  TileStates B, C;
  TileSteps steps;
  TileGradients dy;
};

}  // namespace simba::kernels::scan_backward
