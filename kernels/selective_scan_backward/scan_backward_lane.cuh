// What a lane of the third kernel computes in a tile: forward through its steps, which gives y and
// dC, and back, which gives the rest. The states before the steps stay in registers, and so do the
// newest kKeptDecays of the tile's exp(dt A); the others are computed twice.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan_backward/scan_backward_tile_sums.cuh"

namespace simba::kernels::scan_backward {

inline constexpr int kKeptDecays = 2;

struct TileSums {
  SumsOverStates a, b, y;  // A g e h, B g, C h
  SumsOverChannels channels;
};

struct LaneGradients {
  float a[kLaneChannels][kLaneStates];  // A log2(e)
  float h[kLaneChannels][kLaneStates];  // before the tile
  float g[kLaneChannels][kLaneStates];  // gradient of h, what later steps give it
  float grad_a[kLaneChannels][kLaneStates];

  __device__ void tile(const Lane& lane, const TileInputs& inputs, TileSums& sums) {
    float before[kTileSteps][kLaneChannels][kLaneStates];
    float kept[kKeptDecays][kLaneChannels][kLaneStates];
    constexpr int kFirstKept = kTileSteps - kKeptDecays;
#pragma unroll
    for (int t = 0; t < kTileSteps; ++t) {
      forward(lane, t, inputs, sums, before[t], kept[t < kFirstKept ? 0 : t - kFirstKept]);
    }
#pragma unroll
    for (int t = kTileSteps - 1; t >= 0; --t) {
      if (t >= kFirstKept) {
        back<true>(lane, t, inputs, sums, before[t], kept[t < kFirstKept ? 0 : t - kFirstKept]);
      } else {
        back<false>(lane, t, inputs, sums, before[t], kept[0]);
      }
    }
  }

 private:
  __device__ void forward(const Lane& lane, int t, const TileInputs& inputs, TileSums& sums,
                          float (&before)[kLaneChannels][kLaneStates],
                          float (&decay)[kLaneChannels][kLaneStates]) {
    float b[kLaneStates], c[kLaneStates], grad_c[kLaneStates] = {}, y[kLaneChannels] = {};
    float dt[kLaneChannels], dt_u[kLaneChannels], dy[kLaneChannels];
    inputs.B.get(t, lane, b);
    inputs.C.get(t, lane, c);
    inputs.steps.get(t, lane, dt, dt_u);
    inputs.dy.get(t, lane, dy);
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
      for (int n = 0; n < kLaneStates; ++n) {
        before[j][n] = h[j][n];
        decay[j][n] = fast_exp2(dt[j] * a[j][n]);
        h[j][n] = fmaf(decay[j][n], h[j][n], dt_u[j] * b[n]);
        y[j] = fmaf(c[n], h[j][n], y[j]);
        grad_c[n] = fmaf(h[j][n], dy[j], grad_c[n]);
      }
    }
    sums.y.put(t, lane, y);
    sums.channels.put(t, lane, 1, grad_c);
  }

  template <bool kKept>
  __device__ void back(const Lane& lane, int t, const TileInputs& inputs, TileSums& sums,
                       const float (&before)[kLaneChannels][kLaneStates],
                       const float (&decay)[kLaneChannels][kLaneStates]) {
    float b[kLaneStates], c[kLaneStates], grad_b[kLaneStates] = {};
    float dt[kLaneChannels], dt_u[kLaneChannels], dy[kLaneChannels];
    float sum_a[kLaneChannels] = {}, sum_b[kLaneChannels] = {};
    inputs.B.get(t, lane, b);
    inputs.C.get(t, lane, c);
    inputs.steps.get(t, lane, dt, dt_u);
    inputs.dy.get(t, lane, dy);
#pragma unroll
    for (int j = 0; j < kLaneChannels; ++j) {
#pragma unroll
      for (int n = 0; n < kLaneStates; ++n) {
        const float grad = fmaf(c[n], dy[j], g[j][n]);
        sum_b[j] = fmaf(b[n], grad, sum_b[j]);
        grad_b[n] = fmaf(grad, dt_u[j], grad_b[n]);
        g[j][n] = grad * (kKept ? decay[j][n] : fast_exp2(dt[j] * a[j][n]));
        const float product = g[j][n] * before[j][n];
        sum_a[j] = fmaf(a[j][n], product, sum_a[j]);
        grad_a[j][n] = fmaf(dt[j], product, grad_a[j][n]);
      }
    }
    sums.a.put(t, lane, sum_a);
    sums.b.put(t, lane, sum_b);
    sums.channels.put(t, lane, 0, grad_b);
  }
};

}  // namespace simba::kernels::scan_backward
