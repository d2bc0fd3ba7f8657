// Selective scan of many sequences or channels, N = 16: a pair of lanes holds a channel, 8 states
// each, and does everything of it. Where blocks abound they hide one another's waits, and this
// takes fewest instructions per state: no lane's work is handed to another but within the pair.
// Of two steps each lane prepares one (softplus, delta u) and finishes it (skip, gate).
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

// kTile: steps in a stage of shared memory. kBlocks: blocks that a multiprocessor should hold.
template <typename T, int kTile_, int kBlocks_>
struct PairShape {
  static constexpr int kTile = kTile_;
  static constexpr int kBlocks = kBlocks_;
  static constexpr int kStates = 16;
  static constexpr int kLaneStates = 8;
  static constexpr int kThreads = 128;
  static constexpr int kChannels = kThreads / 2;
  // A warp reads two rows at a time: their 16 channels lie in different banks.
  static constexpr int kRow = kChannels + 16;

  static constexpr int kWide = kWideElements<T>;
  static constexpr int kRowCopies = kChannels / kWide;
  static constexpr int kCopySteps = kThreads / kRowCopies;  // of one access of all threads
  static constexpr int kCopies = kTile / kCopySteps;
  static_assert(kCopies * kCopySteps == kTile);
  // Elements of B and C that a thread moves per tile, neighbours.
  static constexpr int kStatesCopy = kTile * 2 * kStates / kThreads;
  static_assert(kStatesCopy >= 4 && kStates % kStatesCopy == 0);
};

template <typename T, typename Shape>
struct PairStage {
  T delta[Shape::kTile][Shape::kRow];
  T u[Shape::kTile][Shape::kRow];
  T out[Shape::kTile][Shape::kRow];  // z before, if there is one
};

template <typename T, typename Shape>
struct alignas(16) PairShared {
  // Of every other tile.
  PairStage<T, Shape> stages[2];
  float states[2][Shape::kTile][2 * Shape::kStates];  // B, then C
};

// A block's copies of the tiles to come: delta, u and z asynchronously as they are, B and C through
// registers to float. Beyond the sequence's end and the channels all are 0. And of the lanes' out:
// each thread stores what lies where it copies to.
template <typename T, typename Shape, bool kGated>
class PairCopies {
 public:
  __device__ PairCopies(const SelectiveScanParams<T>& params, std::int64_t batch,
                        std::int64_t begin, int length, std::int64_t first_channel)
      : params_(params) {
    step_ = threadIdx.x / Shape::kRowCopies;
    column_ = threadIdx.x % Shape::kRowCopies * Shape::kWide;
    const std::int64_t channel = first_channel + column_;
    left_ = channel < params.channels ? length - step_ : 0;
    delta_ = params.delta.row(batch, begin + step_) + channel;
    u_ = params.u.row(batch, begin + step_) + channel;
    if constexpr (kGated) z_ = params.z.row(batch, begin + step_) + channel;
    out_ = params.out.row(batch, begin + step_) + channel;
    to_store_ = left_;

    const int element = threadIdx.x * Shape::kStatesCopy;
    states_step_ = element / (2 * Shape::kStates);
    states_column_ = element % (2 * Shape::kStates);
    states_left_ = length - states_step_;
    const Rows<const T>& rows = states_column_ < Shape::kStates ? params.B : params.C;
    states_stride_ = rows.row_stride * Shape::kTile;
    states_ = rows.row(batch, begin + states_step_) + states_column_ % Shape::kStates;
  }

  // Begins the copy of the next tile.
  __device__ void begin(PairStage<T, Shape>& to) {
#pragma unroll
    for (int i = 0; i < Shape::kCopies; ++i) {
      const int steps = i * Shape::kCopySteps;
      const bool exists = steps < left_;
      async_copy_16(&to.delta[step_ + steps][column_], delta_ + steps * params_.delta.row_stride,
                    exists);
      async_copy_16(&to.u[step_ + steps][column_], u_ + steps * params_.u.row_stride, exists);
      if constexpr (kGated) {
        async_copy_16(&to.out[step_ + steps][column_], z_ + steps * params_.z.row_stride, exists);
      }
    }
    close_async_copies();
    left_ -= Shape::kTile;
    delta_ += Shape::kTile * params_.delta.row_stride;
    u_ += Shape::kTile * params_.u.row_stride;
    if constexpr (kGated) z_ += Shape::kTile * params_.z.row_stride;
  }

  // Stores the first tile not stored yet.
  __device__ void store(const PairStage<T, Shape>& from) {
#pragma unroll
    for (int i = 0; i < Shape::kCopies; ++i) {
      const int steps = i * Shape::kCopySteps;
      if (steps < to_store_) {
        store_packet(load_packet<Shape::kWide>(&from.out[step_ + steps][column_]),
                     out_ + steps * params_.out.row_stride);
      }
    }
    to_store_ -= Shape::kTile;
    out_ += Shape::kTile * params_.out.row_stride;
  }

  // This thread's elements of the next tile's B or C.
  __device__ Packet<T, Shape::kStatesCopy> load_states() {
    Packet<T, Shape::kStatesCopy> packet = {};
    if (states_left_ > 0) packet = load_packet<Shape::kStatesCopy>(states_);
    states_left_ -= Shape::kTile;
    states_ += states_stride_;
    return packet;
  }
  __device__ void store_states(const Packet<T, Shape::kStatesCopy>& packet,
                               float (&to)[Shape::kTile][2 * Shape::kStates]) const {
    float values[Shape::kStatesCopy];
    unpack(packet, values);
#pragma unroll
    for (int i = 0; i < Shape::kStatesCopy; i += 4) {
      *reinterpret_cast<float4*>(&to[states_step_][states_column_ + i]) =
          make_float4(values[i], values[i + 1], values[i + 2], values[i + 3]);
    }
  }

 private:
  const SelectiveScanParams<T>& params_;
  int step_, column_;
  int left_, to_store_;  // steps from this thread's first of the next tile to the sequence's end
  int states_step_, states_column_, states_left_;
  const T *delta_, *u_, *z_, *states_;
  T* out_;
  std::int64_t states_stride_;
};

template <typename T, typename Shape, bool kGated>
class PairLane {
 public:
  __device__ PairLane(const SelectiveScanParams<T>& params, std::int64_t sequence,
                      std::int64_t first_channel)
      : params_(params), half_(threadIdx.x % 2), column_(threadIdx.x / 2) {
    const std::int64_t channel = first_channel + column_;
    exists_ = channel < params.channels;
    skip_ = exists_ && params.D ? params.D[channel] : 0;
    bias_ = exists_ && params.delta_bias ? params.delta_bias[channel] : 0;
    const int state = half_ * kLaneStates;
    first_h_ = (sequence * params.channels + channel) * Shape::kStates + state;
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) {
      decay_[i] = exists_ ? params.A[channel * Shape::kStates + state + i] * kLog2E<float> : 0;
      h_[i] = exists_ && params.initial_state ? params.initial_state[first_h_ + i] : 0;
    }
  }

  // kWhole: all steps exist; otherwise the first `steps` do, and the others leave h as it is.
  template <bool kWhole>
  __device__ void scan(PairStage<T, Shape>& stage,
                       const float (&states)[Shape::kTile][2 * Shape::kStates], int steps) {
#pragma unroll(kUnrolled)
    for (int first = 0; first < Shape::kTile; first += kSteps) {
      float u[2], delta[2], delta_u[2], out[2], z[2];
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int t = first + 2 * s + half_;
        u[s] = to_accumulate(stage.u[t][column_]);
        delta[s] = fast_softplus(to_accumulate(stage.delta[t][column_]) + bias_);
        if (!kWhole && t >= steps) delta[s] = 0;
        delta_u[s] = delta[s] * u[s];
      }
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        float y[2];
#pragma unroll
        for (int lane = 0; lane < 2; ++lane) {
          y[lane] = step(states[first + 2 * s + lane], __shfl_sync(kAllLanes, delta[s], lane, 2),
                         __shfl_sync(kAllLanes, delta_u[s], lane, 2));
        }
        const float other = __shfl_xor_sync(kAllLanes, of_half(y[1], y[0]), 1);
        out[s] = fmaf(skip_, u[s], of_half(y[0], y[1]) + other);
        if constexpr (kGated) z[s] = to_accumulate(stage.out[first + 2 * s + half_][column_]);
      }
      if constexpr (kGated) multiply_by_silu<T>(out, z);
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        stage.out[first + 2 * s + half_][column_] = round_to<T>(out[s]);
      }
    }
  }

  __device__ void store_last_state() const {
    if (!exists_) return;
#pragma unroll
    for (int i = 0; i < kLaneStates; ++i) params_.last_state[first_h_ + i] = h_[i];
  }

 private:
  static constexpr int kLaneStates = Shape::kLaneStates;
  static constexpr int kSteps = 4;
  static constexpr int kUnrolled = 4;  // times kSteps, which loads and exponentials run ahead

  // `even` in a pair's first lane, `odd` in its second. In assembly: the compiler would branch, and
  // have whole steps twice.
  __device__ float of_half(float even, float odd) const {
    float value;
    asm("{ .reg .pred second; setp.ne.s32 second, %3, 0; selp.f32 %0, %2, %1, second; }"
        : "=f"(value)
        : "f"(even), "f"(odd), "r"(half_));
    return value;
  }

  // This lane's part of C . h after the step.
  __device__ float step(const float (&states)[2 * Shape::kStates], float delta, float delta_u) {
    const float4* B = reinterpret_cast<const float4*>(states + half_ * kLaneStates);
    const float4* C = B + Shape::kStates / 4;
    float y = 0;
#pragma unroll
    for (int i = 0; i < kLaneStates; i += 4) {
      const float4 b = B[i / 4], c = C[i / 4];
      advance(i, delta, delta_u * b.x, c.x, y);
      advance(i + 1, delta, delta_u * b.y, c.y, y);
      advance(i + 2, delta, delta_u * b.z, c.z, y);
      advance(i + 3, delta, delta_u * b.w, c.w, y);
    }
    return y;
  }
  __device__ void advance(int i, float delta, float b, float c, float& y) {
    h_[i] = fmaf(fast_exp2(delta * decay_[i]), h_[i], b);
    y = fmaf(c, h_[i], y);
  }

  const SelectiveScanParams<T>& params_;
  const int half_, column_;
  bool exists_;
  float skip_, bias_;
  std::int64_t first_h_;
  float decay_[kLaneStates], h_[kLaneStates];
};

// kGated: with z.
template <typename T, typename Shape, bool kGated>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocks)
    selective_scan_pairs_kernel(const __grid_constant__ SelectiveScanParams<T> params) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(16) unsigned char memory[];
  PairShared<T, Shape>& shared = *reinterpret_cast<PairShared<T, Shape>*>(memory);
  const std::int64_t channel_blocks = (params.channels + Shape::kChannels - 1) / Shape::kChannels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t first_channel = blockIdx.x % channel_blocks * Shape::kChannels;
  const std::int64_t begin = params.sequences.begin(sequence);
  const int length = static_cast<int>(params.sequences.end(sequence) - begin);

  PairCopies<T, Shape, kGated> copies(params, params.sequences.batch(sequence), begin, length,
                                      first_channel);
  PairLane<T, Shape, kGated> lane(params, sequence, first_channel);
  copies.begin(shared.stages[0]);
  copies.store_states(copies.load_states(), shared.states[0]);
  int odd = 0;
  for (int first = 0; first < length; first += Shape::kTile, odd ^= 1) {
    // All threads have left the tile before, and have here what they copied of this one.
    wait_for_async_copies<0>();
    __syncthreads();
    PairStage<T, Shape>& before = shared.stages[odd ^ 1];
    if (first > 0) copies.store(before);
    copies.begin(before);
    const auto next_states = copies.load_states();
    const int steps = length - first;
    if (steps >= Shape::kTile) {
      lane.template scan<true>(shared.stages[odd], shared.states[odd], steps);
    } else {
      lane.template scan<false>(shared.stages[odd], shared.states[odd], steps);
    }
    copies.store_states(next_states, shared.states[odd ^ 1]);
  }
  __syncthreads();
  if (length > 0) copies.store(shared.stages[odd ^ 1]);
  lane.store_last_state();
#endif
}

}  // namespace simba::kernels
