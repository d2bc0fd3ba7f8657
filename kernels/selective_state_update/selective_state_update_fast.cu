// One decoding step with 16 states: 2 neighbouring lanes take one channel, 4 + 4 states each, of
// every kth sequence in turn. They keep A, and ask for everything of the next sequence before they
// use anything of this one. There are as many blocks as the device holds at once; where those would
// leave multiprocessors idle, 4 lanes take a channel. Partial sums are added in an order that does
// not depend on that.
#include <algorithm>

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_state_update/selective_state_update_paths.h"

namespace simba::kernels {
namespace {

constexpr int kStates = 16;
constexpr int kEach = 4;  // states of an access
constexpr int kThreads = 128;
constexpr int kBlocks = 8;  // of a multiprocessor

// With kPieces accesses to a lane: lanes of a channel, and channels of a block.
template <int kPieces>
constexpr int kLanes = kStates / (kEach * kPieces);
template <int kPieces>
constexpr int kChannels = kThreads / kLanes<kPieces>;

// What a lane needs of one sequence.
template <typename T, int kPieces>
struct StepInputs {
  Packet<float, kEach> state[kPieces];
  Packet<T, kEach> B[kPieces], C[kPieces];
  T u, delta, z;
};

template <typename T, int kPieces>
__global__ void __launch_bounds__(kThreads, kBlocks)
    selective_state_update_fast_kernel(SelectiveStateUpdateParams<T> params, unsigned groups) {
  constexpr int kOwnLanes = kLanes<kPieces>, kOwnChannels = kChannels<kPieces>;
  const auto channel_blocks =
      static_cast<unsigned>((params.channels + kOwnChannels - 1) / kOwnChannels);
  const unsigned group = blockIdx.x / channel_blocks;
  const auto sequences = static_cast<unsigned>(params.sequences);
  const std::int64_t channel =
      static_cast<std::int64_t>(blockIdx.x % channel_blocks) * kOwnChannels +
      threadIdx.x / kOwnLanes;
  const int lane = threadIdx.x % kOwnLanes;
  // Lanes without a channel stay for the shuffles.
  const bool exists = channel < params.channels;

  const auto state_at = [&](int piece) { return (piece * kOwnLanes + lane) * kEach; };
  const auto place = [&](unsigned sequence, int piece) {
    return params.state + sequence * params.state_sequence_stride +
           channel * params.state_channel_stride + state_at(piece);
  };
  const auto load = [&](unsigned sequence) {
    StepInputs<T, kPieces> inputs = {};
    if (!exists || sequence >= sequences) return inputs;
#pragma unroll
    for (int j = 0; j < kPieces; ++j) inputs.state[j] = load_packet<kEach>(place(sequence, j));
    inputs.delta = params.delta.row(sequence, 0)[channel];
    inputs.u = params.u.row(sequence, 0)[channel];
#pragma unroll
    for (int j = 0; j < kPieces; ++j) {
      inputs.B[j] = load_packet<kEach>(params.B.row(sequence, 0) + state_at(j));
      inputs.C[j] = load_packet<kEach>(params.C.row(sequence, 0) + state_at(j));
    }
    if (params.z) inputs.z = params.z.row(sequence, 0)[channel];
    return inputs;
  };

  StepInputs<T, kPieces> next = load(group);
  float decay[kPieces][kEach] = {};
  float bias = 0, skip = 0;
  if (exists) {
#pragma unroll
    for (int j = 0; j < kPieces; ++j) {
      unpack(load_packet<kEach>(params.A + channel * kStates + state_at(j)), decay[j]);
    }
    if (params.delta_bias) bias = params.delta_bias[channel];
    if (params.D) skip = params.D[channel];
  }
#pragma unroll
  for (int j = 0; j < kPieces; ++j) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) decay[j][i] *= kLog2E<float>;
  }

  for (unsigned sequence = group; sequence < sequences; sequence += groups) {
    const StepInputs<T, kPieces> inputs = next;
    next = load(sequence + groups);
    const float u = to_accumulate(inputs.u);
    float dt = to_accumulate(inputs.delta) + bias;
    if (params.delta_softplus) dt = precise_softplus(dt);
    float y = 0;
#pragma unroll
    for (int j = 0; j < kPieces; ++j) {
      float state[kEach], B[kEach], C[kEach], piece = 0;
      unpack(inputs.state[j], state);
      unpack(inputs.B[j], B);
      unpack(inputs.C[j], C);
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        state[i] = fast_exp2(dt * decay[j][i]) * state[i] + dt * u * B[i];
        piece += state[i] * C[i];
      }
      y += piece;
      if (exists) store_packet(pack<float>(state), place(sequence, j));
    }
#pragma unroll
    for (int offset = kOwnLanes / 2; offset > 0; offset /= 2) {
      y += __shfl_xor_sync(kAllLanes, y, offset);
    }
    if (exists && lane == 0) {
      if (params.D) y += skip * u;
      if (params.z) y *= fast_silu<T>(to_accumulate(inputs.z));
      params.out.row(sequence, 0)[channel] = round_to<T>(y);
    }
  }
}

template <typename T, int kPieces>
cudaError_t launch(const SelectiveStateUpdateParams<T>& params, int processors,
                   cudaStream_t stream) {
  const std::int64_t channel_blocks = ceil_div(params.channels, kChannels<kPieces>);
  const std::int64_t resident = std::int64_t{kBlocks} * processors;
  const std::int64_t most =
      std::clamp<std::int64_t>(resident / channel_blocks, 1, params.sequences);
  // As few as take no more turns.
  const std::int64_t groups = ceil_div(params.sequences, ceil_div(params.sequences, most));
  selective_state_update_fast_kernel<T, kPieces>
      <<<static_cast<unsigned>(channel_blocks * groups), kThreads, 0, stream>>>(
          params, static_cast<unsigned>(groups));
  return cudaGetLastError();
}

}  // namespace

template <typename T>
bool fast_path_takes(const SelectiveStateUpdateParams<T>& params) {
  return params.states == kStates && params.state_sequence_stride % kEach == 0 &&
         params.state_channel_stride % kEach == 0 &&
         takes_packets(static_cast<const float*>(params.state), kEach) &&
         takes_packets(params.A, kEach) && takes_packets(params.B, kEach) &&
         takes_packets(params.C, kEach) &&
         fits_grid(params.sequences, ceil_div(params.channels, kChannels<1>));
}

template <typename T>
cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<T>& params,
                                        cudaStream_t stream) {
  const int processors = multiprocessor_count();
  const bool few = params.sequences * ceil_div(params.channels, kChannels<2>) < processors;
  return few ? launch<T, 1>(params, processors, stream) : launch<T, 2>(params, processors, stream);
}

template bool fast_path_takes(const SelectiveStateUpdateParams<float>&);
template bool fast_path_takes(const SelectiveStateUpdateParams<BFloat16>&);
template bool fast_path_takes(const SelectiveStateUpdateParams<Float16>&);
template cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<float>&,
                                                 cudaStream_t);
template cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<BFloat16>&,
                                                 cudaStream_t);
template cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<Float16>&,
                                                 cudaStream_t);

}  // namespace simba::kernels
