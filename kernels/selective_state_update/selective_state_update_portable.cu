// One decoding step: h <- exp(dt A) h + dt B u,   out = (C . h + D u) * silu(z).
//
// A group of W neighbouring lanes takes one channel of one sequence, lane i its states i, i + W,
// ... (coalesced along N); W is the power of two at or above N, 32 at most. The group's partial
// sums are added in a fixed tree. Blocks of 128 threads.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_state_update/selective_state_update_paths.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 128;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    selective_state_update_kernel(SelectiveStateUpdateParams<T> params, int group) {
  using Acc = AccumulateType<T>;
  const int block_channels = kThreads / group;
  const std::int64_t channel_blocks = (params.channels + block_channels - 1) / block_channels;
  const std::int64_t sequence = blockIdx.x / channel_blocks;
  const std::int64_t channel = blockIdx.x % channel_blocks * block_channels + threadIdx.x / group;
  const int lane = threadIdx.x % group;

  // Lanes without a channel stay for the shuffles.
  const bool exists = channel < params.channels;
  Acc u = 0;
  Acc y = 0;
  if (exists) {
    u = to_accumulate(params.u.row(sequence, 0)[channel]);
    Acc dt = to_accumulate(params.delta.row(sequence, 0)[channel]);
    if (params.delta_bias) dt += params.delta_bias[channel];
    if (params.delta_softplus) dt = softplus(dt);
    Acc* state = params.state + sequence * params.state_sequence_stride +
                 channel * params.state_channel_stride;
    const Acc* A = params.A + channel * params.states;
    const T* B = params.B.row(sequence, 0);
    const T* C = params.C.row(sequence, 0);
    for (std::int64_t n = lane; n < params.states; n += group) {
      const Acc h = exp2(dt * (A[n] * kLog2E<Acc>)) * state[n] + dt * u * to_accumulate(B[n]);
      state[n] = h;
      y += h * to_accumulate(C[n]);
    }
  }
  for (int offset = group / 2; offset > 0; offset /= 2) {
    y += __shfl_xor_sync(kAllLanes, y, offset);
  }
  if (exists && lane == 0) {
    if (params.D) y += params.D[channel] * u;
    if (params.z) y *= silu(to_accumulate(params.z.row(sequence, 0)[channel]));
    params.out.row(sequence, 0)[channel] = round_to<T>(y);
  }
}

}  // namespace

template <typename T>
cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<T>& params,
                                            cudaStream_t stream) {
  int group = 1;
  while (group < params.states && group < kWarpSize) group *= 2;
  const std::int64_t channel_blocks = ceil_div(params.channels, kThreads / group);
  if (!fits_grid(params.sequences, channel_blocks)) return cudaErrorInvalidValue;
  const auto blocks = static_cast<unsigned>(params.sequences * channel_blocks);
  selective_state_update_kernel<<<blocks, kThreads, 0, stream>>>(params, group);
  return cudaGetLastError();
}

template cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<float>&,
                                                     cudaStream_t);
template cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<double>&,
                                                     cudaStream_t);
template cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<BFloat16>&,
                                                     cudaStream_t);
template cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<Float16>&,
                                                     cudaStream_t);

}  // namespace simba::kernels
