// One decoding step with 16 states: 4 neighbouring lanes take one channel of one sequence, 4 states
// each in one access, so that a warp reads 512 bytes of state at once. Their partial sums are added
// in a fixed tree. Blocks of 128 threads.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_state_update/selective_state_update_paths.h"

namespace simba::kernels {
namespace {

constexpr int kStates = 16;
constexpr int kEach = 4;  // states of a lane
constexpr int kLanes = kStates / kEach;
constexpr int kThreads = 128;
constexpr int kChannels = kThreads / kLanes;  // of a block

template <typename T>
__global__ void __launch_bounds__(kThreads)
    selective_state_update_fast_kernel(SelectiveStateUpdateParams<T> params) {
  const auto channel_blocks = static_cast<unsigned>((params.channels + kChannels - 1) / kChannels);
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t channel =
      static_cast<std::int64_t>(blockIdx.x % channel_blocks) * kChannels + threadIdx.x / kLanes;
  const int first = threadIdx.x % kLanes * kEach;

  // Lanes without a channel stay for the shuffles.
  const bool exists = channel < params.channels;
  float u = 0;
  float y = 0;
  if (exists) {
    float* place = params.state + sequence * params.state_sequence_stride +
                   channel * params.state_channel_stride + first;
    float state[kEach], A[kEach], B[kEach], C[kEach];
    unpack(load_packet<kEach>(place), state);
    unpack(load_packet<kEach>(params.A + channel * kStates + first), A);
    unpack(load_packet<kEach>(params.B.row(sequence, 0) + first), B);
    unpack(load_packet<kEach>(params.C.row(sequence, 0) + first), C);
    u = to_accumulate(params.u.row(sequence, 0)[channel]);
    float dt = to_accumulate(params.delta.row(sequence, 0)[channel]);
    if (params.delta_bias) dt += params.delta_bias[channel];
    if (params.delta_softplus) dt = softplus(dt);
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      state[i] = fast_exp2(dt * (A[i] * kLog2E<float>)) * state[i] + dt * u * B[i];
      y += state[i] * C[i];
    }
    store_packet(pack<float>(state), place);
  }
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    y += __shfl_xor_sync(kAllLanes, y, offset);
  }
  if (exists && first == 0) {
    if (params.D) y += params.D[channel] * u;
    if (params.z) y *= silu(to_accumulate(params.z.row(sequence, 0)[channel]));
    params.out.row(sequence, 0)[channel] = round_to<T>(y);
  }
}

}  // namespace

template <typename T>
bool fast_path_takes(const SelectiveStateUpdateParams<T>& params) {
  return params.states == kStates && params.state_sequence_stride % kEach == 0 &&
         params.state_channel_stride % kEach == 0 &&
         takes_packets(static_cast<const float*>(params.state), kEach) &&
         takes_packets(params.A, kEach) && takes_packets(params.B, kEach) &&
         takes_packets(params.C, kEach) &&
         fits_grid(params.sequences, ceil_div(params.channels, kChannels));
}

template <typename T>
cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<T>& params,
                                        cudaStream_t stream) {
  const auto blocks =
      static_cast<unsigned>(params.sequences * ceil_div(params.channels, kChannels));
  selective_state_update_fast_kernel<<<blocks, kThreads, 0, stream>>>(params);
  return cudaGetLastError();
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
