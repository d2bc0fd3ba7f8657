// The state warps of scan_sm90.cuh: h_t = exp2(delta_t A log2(e)) h_{t-1} + delta_t u_t B_t
// and y_t = C_t . h_t over the tiles that the element warps fill.
//
// Only h_t = a h + b is a chain. A warp computes all a and b of its turn before it waits for the h
// of the turn before, and y after it has handed on its own h: while it does, the other warps of its
// group are at other stretches of time, so a lone sequence keeps the exponential units busy.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan/scan_lane.cuh"
#include "kernels/selective_scan/scan_stage.cuh"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

template <typename T, typename Shape>
class StateLane {
 public:
  // warp: of the block's state warps.
  __device__ StateLane(const SelectiveScanParams<T>& params, ScanShared<T, Shape>& shared, int warp,
                       std::int64_t sequence, std::int64_t first_channel)
      : params_(params), shared_(shared) {
    group_ = kept(warp % Shape::kGroups);
    rotation_ = kept(warp / Shape::kGroups);
    lane_ = kept(threadIdx.x % kWarpSize);
    const int state = Lane::state();
    const int block_channel = group_ * Shape::kGroupChannels + Lane::channel();
    row_ = kept(ScanStage<Shape>::row(block_channel));
    state_row_ = kept(state * Shape::kRow);
    const std::int64_t channel = first_channel + block_channel;
    exists_ = channel < params.channels;
    first_h_ = (sequence * params.channels + channel) * Shape::kStates + state;
    // This lane's state i is number state + i * kChannelLanes.
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) {
      const int n = i * Shape::kChannelLanes;
      decay_[i] = exists_ ? params.A[channel * Shape::kStates + state + n] * kLog2E<float> : 0;
      h_[i] = exists_ && params.initial_state ? params.initial_state[first_h_ + n] : 0;
    }
  }

  __device__ void run(int tiles) {
    int stage = 0;
    unsigned phase = 0;  // of the stage
    unsigned turn = 0;   // of this warp
    for (int tile = 0; tile < tiles; ++tile) {
      shared_.filled[stage].wait(phase);
#pragma unroll
      for (int k = 0; k < Shape::kWarpTurns; ++k, ++turn) {
        const int start = (rotation_ + k * Shape::kRotation) * kTurn;
        take_turn(shared_.stages[stage], start, turn);
      }
      shared_.scanned[stage].arrive_warp();
      if (++stage == Shape::kStages) {
        stage = 0;
        ++phase;
      }
    }
    // The last turn was the last warp's; of an empty sequence every warp has the first state.
    if (rotation_ == Shape::kRotation - 1 && exists_) {
#pragma unroll
      for (int i = 0; i < kLaneStates; ++i) {
        params_.last_state[first_h_ + i * Shape::kChannelLanes] = h_[i];
      }
    }
  }

 private:
  using Lane = ScanLane<Shape>;
  static constexpr int kLaneStates = Shape::kLaneStates;
  static constexpr int kTurn = Shape::kTurn;

  // start: in the tile. turn: of this warp.
  __device__ void take_turn(ScanStage<Shape>& stage, int start, unsigned turn) {
    float a[kTurn][kLaneStates];
    float b[kTurn][kLaneStates];  // then h
#pragma unroll
    for (int t = 0; t < kTurn; t += 4) {
      float delta[4], delta_u[4];
      load_four(stage.delta + row_ + start + t, delta);
      load_four(stage.delta_u + row_ + start + t, delta_u);
#pragma unroll
      for (int i = 0; i < kLaneStates; ++i) {
        float B[4];
        load_four(state(stage.B, i) + start + t, B);
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          a[t + k][i] = fast_exp2(delta[k] * decay_[i]);
          b[t + k][i] = delta_u[k] * B[k];
        }
      }
    }
    if (Shape::kRotation > 1) {
      // Nothing of this may sink below the wait, where the group's other warps would wait for it.
#pragma unroll
      for (int t = 0; t < kTurn; ++t) {
#pragma unroll
        for (int i = 0; i < kLaneStates; ++i) asm volatile("" : "+f"(a[t][i]), "+f"(b[t][i]));
      }
      receive(turn);
    }
#pragma unroll
    for (int t = 0; t < kTurn; ++t) {
#pragma unroll
      for (int i = 0; i < kLaneStates; ++i) {
        h_[i] = fmaf(a[t][i], h_[i], b[t][i]);
        b[t][i] = h_[i];
      }
    }
    if (Shape::kRotation > 1) send();

    // Steps that one pass of sum_states takes.
    constexpr int kSums = kTurn < Shape::kChannelLanes ? kTurn : Shape::kChannelLanes;
#pragma unroll
    for (int first = 0; first < kTurn; first += kSums) {
      float y[kSums];
#pragma unroll
      for (int t = 0; t < kSums; t += 4) {
#pragma unroll
        for (int i = 0; i < kLaneStates; ++i) {
          float C[4];
          load_four(state(stage.C, i) + start + first + t, C);
#pragma unroll
          for (int k = 0; k < 4; ++k) {
            const float h = b[first + t + k][i];
            y[t + k] = i == 0 ? C[k] * h : fmaf(C[k], h, y[t + k]);
          }
        }
      }
      const int step = sum_states<Shape, kSums>(y);
      stage.y[row_ + start + first + step] = y[0];
    }
  }

  // h from the warp that had the turn before.
  __device__ void receive(unsigned turn) {
    const bool first = rotation_ == 0;
    if (first && turn == 0) return;
    const int from = first ? Shape::kRotation - 1 : rotation_ - 1;
    shared_.sent[group_][from].wait(first ? turn - 1 : turn);
#pragma unroll
    for (int i = 0; i < kLaneStates; i += 2) {
      const float2 two = *reinterpret_cast<const float2*>(&shared_.h[group_][from][lane_][i]);
      h_[i] = two.x, h_[i + 1] = two.y;
    }
  }

  __device__ void send() {
#pragma unroll
    for (int i = 0; i < kLaneStates; i += 2) {
      *reinterpret_cast<float2*>(&shared_.h[group_][rotation_][lane_][i]) =
          make_float2(h_[i], h_[i + 1]);
    }
    shared_.sent[group_][rotation_].arrive_warp();
  }

  __device__ const float* state(const float (&rows)[Shape::kStates][Shape::kRow], int i) const {
    return &rows[0][0] + state_row_ + i * Shape::kChannelLanes * Shape::kRow;
  }

  const SelectiveScanParams<T>& params_;
  ScanShared<T, Shape>& shared_;
  int group_, rotation_, lane_;
  int row_, state_row_;
  bool exists_;
  std::int64_t first_h_;
  float decay_[kLaneStates], h_[kLaneStates];
};

}  // namespace simba::kernels
