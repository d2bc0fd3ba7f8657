// The element warps of scan_lone.cuh: they copy tiles ahead of time, prepare
// dt = softplus(delta + bias), dt u and B and C as float, and store the out of the scan warps.
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/selective_scan/scan_lone_stage.cuh"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

template <typename T, typename Shape, bool kGated>
class LoneElements {
 public:
  // thread: of the element warps.
  __device__ LoneElements(const SelectiveScanParams<T>& params, LoneShared<T, Shape>& shared,
                          int thread, std::int64_t batch, std::int64_t begin, int length,
                          std::int64_t first_channel)
      : params_(params), shared_(shared), thread_(thread), length_(length) {
#pragma unroll
    for (int i = 0; i < kThreadItems; ++i) {
      const int item = thread + i * Shape::kElementThreads;
      const int step = item / kPackets, block_channel = item % kPackets * Shape::kWide;
      const std::int64_t channel = first_channel + block_channel;
      item_[i] = step * Shape::kInputRow + block_channel;
      left_[i] = item < kItems && channel < params.channels ? length - step : 0;
      delta_[i] = params.delta.row(batch, begin + step) + channel;
      u_[i] = params.u.row(batch, begin + step) + channel;
      if constexpr (kGated) z_[i] = params.z.row(batch, begin + step) + channel;
      out_[i] = params.out.row(batch, begin + step) + channel;
    }
    const bool of_b = thread < Shape::kElementThreads / 2;
    const Rows<const T>& rows = of_b ? params.B : params.C;
    states_stride_ = rows.row_stride * Shape::kTile;
#pragma unroll
    for (int i = 0; i < kThreadStateItems; ++i) {
      const int item = thread % (Shape::kElementThreads / 2) + i * (Shape::kElementThreads / 2);
      const int step = item / kStatePackets, state = item % kStatePackets * Shape::kWide;
      states_item_[i] = ((of_b ? 0 : Shape::kTile) + step) * Shape::kStates + state;
      states_left_[i] = length - step;
      states_[i] = rows.row(batch, begin + step) + state;
    }
#pragma unroll
    for (int i = 0; i < kWarpRounds; ++i) {
      const int round = warp() + i * Shape::kElementWarps;
      // Four pairs by two quads of steps write to all banks; sixteen pairs by two quads read from
      // all.
      const int unit = round * kWarpSize + thread % kWarpSize;
      const int eight = unit / 8;
      pair_[i] = 2 * (eight % kPairFours * 4 + unit % 4);
      quad_[i] = 4 * (eight / kPairFours * 2 + unit / 4 % 2);
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const std::int64_t channel = first_channel + pair_[i] + c;
        const bool exists = round < Shape::kUnitRounds && channel < params.channels;
        bias_[i][c] = exists && params.delta_bias ? params.delta_bias[channel] : 0;
      }
    }
  }

  // A tile more than there are, of no steps: the scan warps begin it before they end the last.
  __device__ void run(int tiles) {
    copy(0);
    copy(1);
    for (int tile = 0; tile < tiles + Shape::kStages; ++tile) {
      const int before = tile - Shape::kStages;
      if (before >= 0) {
        shared_.scanned[tile % Shape::kStages].wait(before / Shape::kStages);
        store(before);
      }
      if (tile <= tiles) {
        copy(tile + 2);
        wait_for_async_copies<2>();
        // Everything that the element warps copied is here.
        asm volatile("bar.sync 1, %0;" ::"n"(Shape::kElementThreads) : "memory");
        const int left = length_ - tile * Shape::kTile;
        if (left >= Shape::kTile) {
          fill<true>(tile, left);
        } else {
          fill<false>(tile, left);
        }
        shared_.filled[tile % Shape::kStages].arrive_warp();
      }
    }
  }

 private:
  static constexpr int kPairFours = Shape::kChannels / 8;
  static constexpr int kWarpRounds =
      (Shape::kUnitRounds + Shape::kElementWarps - 1) / Shape::kElementWarps;
  static constexpr int kPackets = Shape::kChannels / Shape::kWide;
  static constexpr int kItems = Shape::kTile * kPackets;
  static constexpr int kThreadItems =
      (kItems + Shape::kElementThreads - 1) / Shape::kElementThreads;
  static constexpr int kStatePackets = Shape::kStates / Shape::kWide;
  static constexpr int kStateItems = Shape::kTile * kStatePackets;
  static constexpr int kThreadStateItems = kStateItems / (Shape::kElementThreads / 2);
  static_assert(kThreadStateItems * Shape::kElementThreads == 2 * kStateItems);

  __device__ int warp() const { return thread_ / kWarpSize; }
  __device__ LoneInputs<T, Shape>& inputs(int tile) const {
    return shared_.inputs[static_cast<unsigned>(tile) % Shape::kInputs];
  }
  __device__ static bool is_item(int i, int thread) {
    return kItems % Shape::kElementThreads == 0 || thread + i * Shape::kElementThreads < kItems;
  }

  // Begins to copy a tile, the next; zeros beyond the sequence's end and the channels.
  __device__ void copy(int tile) {
    LoneInputs<T, Shape>& to = inputs(tile);
    const int begin = tile * Shape::kTile;
#pragma unroll
    for (int i = 0; i < kThreadItems; ++i) {
      if (!is_item(i, thread_)) break;
      const bool exists = begin < left_[i];
      async_copy_16(&to.delta[0][0] + item_[i], delta_[i], exists);
      async_copy_16(&to.u[0][0] + item_[i], u_[i], exists);
      if constexpr (kGated) async_copy_16(&to.out[0][0] + item_[i], z_[i], exists);
      delta_[i] += Shape::kTile * params_.delta.row_stride;
      u_[i] += Shape::kTile * params_.u.row_stride;
      if constexpr (kGated) z_[i] += Shape::kTile * params_.z.row_stride;
    }
#pragma unroll
    for (int i = 0; i < kThreadStateItems; ++i) {
      async_copy_16(&to.states[0][0][0] + states_item_[i], states_[i], begin < states_left_[i]);
      states_[i] += states_stride_;
    }
    close_async_copies();
  }

  // Stores a tile, the next. Every thread stores what lies where it copies to.
  __device__ void store(int tile) {
    const LoneInputs<T, Shape>& from = inputs(tile);
#pragma unroll
    for (int i = 0; i < kThreadItems; ++i) {
      if (tile * Shape::kTile < left_[i]) {
        store_packet(load_packet<Shape::kWide>(&from.out[0][0] + item_[i]), out_[i]);
      }
      out_[i] += Shape::kTile * params_.out.row_stride;
    }
  }

  // kWhole: all steps exist; otherwise those from `left` on leave every state as it is.
  template <bool kWhole>
  __device__ void fill(int tile, int left) {
    const LoneInputs<T, Shape>& from = inputs(tile);
    LoneStage<Shape>& to = shared_.stages[tile % Shape::kStages];
#pragma unroll
    for (int i = 0; i < kWarpRounds; ++i) {
      if (Shape::kUnitRounds % Shape::kElementWarps != 0 &&
          warp() + i * Shape::kElementWarps >= Shape::kUnitRounds) {
        break;
      }
      float delta[2][4], delta_u[2][4];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int step = quad_[i] + k;
        float raw[2], u[2];
        unpack(load_packet<2>(&from.delta[step][pair_[i]]), raw);
        unpack(load_packet<2>(&from.u[step][pair_[i]]), u);
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const float dt = fast_softplus(raw[c] + bias_[i][c]);
          delta[c][k] = kWhole || step < left ? dt : 0;
          delta_u[c][k] = delta[c][k] * u[c];
        }
      }
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        store_four(&to.delta[pair_[i] + c][quad_[i]], delta[c]);
        store_four(&to.delta_u[pair_[i] + c][quad_[i]], delta_u[c]);
      }
    }
    // A lane takes a step and 8 states. The warps with fewer rounds above take these.
    constexpr int kRounds = 4 * Shape::kTile / kWarpSize;
    constexpr int kWarps = Shape::kUneven ? Shape::kElementWarps / 2 : Shape::kElementWarps;
    const int first = warp() - (Shape::kElementWarps - kWarps);
    if (first < 0) return;
#pragma unroll
    for (int i = 0; i < kRounds / kWarps; ++i) {
      const int round = first + i * kWarps;
      const int rows = round % 4, step = round / 4 * kWarpSize + thread_ % kWarpSize;
      float values[8];
      unpack(load_packet<8>(&from.states[rows / 2][step][rows % 2 * 8]), values);
#pragma unroll
      for (int n = 0; n < 8; ++n) to.states[rows / 2][rows % 2 * 8 + n][step] = values[n];
    }
  }

  __device__ static void store_four(float* to, const float (&values)[4]) {
    *reinterpret_cast<float4*>(to) = make_float4(values[0], values[1], values[2], values[3]);
  }

  const SelectiveScanParams<T>& params_;
  LoneShared<T, Shape>& shared_;
  const int thread_, length_;
  // What this thread copies and stores: place in a tile, steps from there to the sequence's end,
  // and where it comes from and goes to.
  int item_[kThreadItems], left_[kThreadItems];
  const T *delta_[kThreadItems], *u_[kThreadItems], *z_[kThreadItems];
  T* out_[kThreadItems];
  int states_item_[kThreadStateItems], states_left_[kThreadStateItems];
  const T* states_[kThreadStateItems];
  std::int64_t states_stride_;
  int pair_[kWarpRounds], quad_[kWarpRounds];
  float bias_[kWarpRounds][2];
};

}  // namespace simba::kernels
