// The scan warps of scan_lone.cuh: h_t = exp2(dt_t A log2(e)) h_{t-1} + dt_t u_t B_t,
// y_t = C_t . h_t, and out = (y + D u) silu(z) in the place of z, or y + D u without z.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan/scan_lane.cuh"
#include "kernels/selective_scan/scan_lone_stage.cuh"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

template <typename T, typename Shape, bool kGated>
class LoneStates {
 public:
  __device__ LoneStates(const SelectiveScanParams<T>& params, LoneShared<T, Shape>& shared,
                        int warp, std::int64_t sequence, std::int64_t first_channel)
      : params_(params), shared_(shared) {
    block_channel_ = kept(warp * Shape::kWarpChannels + Lane::channel());
    state_ = kept(Lane::state());
    const std::int64_t channel = first_channel + block_channel_;
    exists_ = channel < params.channels;
    first_h_ = (sequence * params.channels + channel) * Shape::kStates + state_;
    skip_ = exists_ && params.D ? params.D[channel] : 0;
#pragma unroll
    for (int i = 0; i < Shape::kLaneStates; ++i) {
      const int n = i * Shape::kChannelLanes;
      decay_[i] = exists_ ? params.A[channel * Shape::kStates + state_ + n] * kLog2E<float> : 0;
      h_[i] = exists_ && params.initial_state ? params.initial_state[first_h_ + n] : 0;
    }
  }

  // The sums and gates of some steps run beside the steps that follow, also those of the next tile:
  // alone, either would wait for its own results most of the time.
  __device__ void run(int tiles) {
    float partial[kSums];
    begin_tile(0, partial);
    Quad quad(shared_.stages[0], *this, kSums);
    for (int tile = 0; tile < tiles; ++tile) {
      const LoneStage<Shape>& stage = shared_.stages[tile % Shape::kStages];
      LoneInputs<T, Shape>& inputs = shared_.inputs[tile % Shape::kInputs];
      // Stored at the end: the compiler computes nothing before a store that comes after it.
      T out[kBlocks];
      float y[2];
      int step = 0;
      __syncwarp();
#pragma unroll
      for (int block = 1; block < kBlocks; ++block) {
        step = sum_states<Shape, kSums>(partial);
        y[(block - 1) % 2] = partial[0];
        if (block % 2 == 0) finish(inputs, block - 2, step, y, out);
#pragma unroll
        for (int k = 0; k < kSums; k += 4) {
          if (block > 1 || k > 0) quad = Quad(stage, *this, block * kSums + k);
          advance(quad, partial + k);
        }
      }
      float last[kSums];
#pragma unroll
      for (int k = 0; k < kSums; ++k) last[k] = partial[k];
      begin_tile(tile + 1, partial);
      sum_states<Shape, kSums>(last);
      y[1] = last[0];
      finish(inputs, kBlocks - 2, step, y, out);
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
        inputs.out[block * kSums + step][block_channel_] = out[block];
      }
      quad = Quad(shared_.stages[(tile + 1) % Shape::kStages], *this, kSums);
      shared_.scanned[tile % Shape::kStages].arrive_warp();
    }
    if (exists_) {
#pragma unroll
      for (int i = 0; i < Shape::kLaneStates; ++i) {
        params_.last_state[first_h_ + i * Shape::kChannelLanes] = h_[i];
      }
    }
  }

 private:
  using Lane = ScanLane<Shape>;
  // Steps of a block, whose y are summed over a channel's lanes: one is left to each.
  static constexpr int kSums = Shape::kChannelLanes;
  static constexpr int kBlocks = Shape::kTile / kSums;

  // What four steps from `first` on take from a tile.
  struct Quad {
    float delta[4], delta_u[4], B[Shape::kLaneStates][4], C[Shape::kLaneStates][4];

    __device__ Quad(const LoneStage<Shape>& stage, const LoneStates& lane, int first) {
      load_four(&stage.delta[lane.block_channel_][first], delta);
      load_four(&stage.delta_u[lane.block_channel_][first], delta_u);
#pragma unroll
      for (int i = 0; i < Shape::kLaneStates; ++i) {
        load_four(&stage.states[0][lane.state_ + i * Shape::kChannelLanes][first], B[i]);
        load_four(&stage.states[1][lane.state_ + i * Shape::kChannelLanes][first], C[i]);
      }
    }
  };

  // Waits for a tile and takes its first steps.
  __device__ void begin_tile(int tile, float (&partial)[kSums]) {
    const int stage = tile % Shape::kStages;
    shared_.filled[stage].wait(tile / Shape::kStages);
    __syncwarp();
#pragma unroll
    for (int k = 0; k < kSums; k += 4) {
      advance(Quad(shared_.stages[stage], *this, k), partial + k);
    }
  }

  // Four steps, and this lane's part of each C . h.
  __device__ void advance(const Quad& quad, float* y) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
#pragma unroll
      for (int i = 0; i < Shape::kLaneStates; ++i) {
        h_[i] = fmaf(fast_exp2(quad.delta[k] * decay_[i]), h_[i], quad.delta_u[k] * quad.B[i][k]);
      }
      y[k] = quad.C[0][k] * h_[0];
#pragma unroll
      for (int i = 1; i < Shape::kLaneStates; ++i) y[k] = fmaf(quad.C[i][k], h_[i], y[k]);
    }
  }

  // out of this lane's step of two blocks.
  __device__ void finish(const LoneInputs<T, Shape>& inputs, int block, int step,
                         const float (&y)[2], T (&result)[kBlocks]) const {
    float out[2], z[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int place = (block + i) * kSums + step;
      out[i] = fmaf(skip_, to_accumulate(inputs.u[place][block_channel_]), y[i]);
      if constexpr (kGated) z[i] = to_accumulate(inputs.out[place][block_channel_]);
    }
    if constexpr (kGated) multiply_by_silu<T>(out, z);
#pragma unroll
    for (int i = 0; i < 2; ++i) result[block + i] = round_to<T>(out[i]);
  }

  const SelectiveScanParams<T>& params_;
  LoneShared<T, Shape>& shared_;
  int block_channel_, state_;
  bool exists_;
  std::int64_t first_h_;
  float skip_;
  float decay_[Shape::kLaneStates], h_[Shape::kLaneStates];
};

}  // namespace simba::kernels
