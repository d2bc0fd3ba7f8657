// 4 neighbouring lanes take one channel of one sequence: together the product with dt_proj's row,
// which is there before dt is, then 4 states each. All the rest is asked for at once, since the
// time until it is there is most of this: what the block shares goes through shared memory, whose
// barrier keeps the compiler from moving other loads to where they are used. Partial sums are added
// in a fixed order.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/step_launch.h"
#include "kernels/ssm_step/ssm_step_paths.h"

namespace simba::kernels {
namespace {

constexpr int kStates = 16;
constexpr int kLanes = 4;
constexpr int kEach = kStates / kLanes;  // states of a lane
constexpr int kThreads = 128;
constexpr int kChannels = kThreads / kLanes;  // of a block
constexpr int kLongestRank = 160;

__device__ float sum_over_lanes(float value) {
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

// 1 block: there are too few for registers to be short, and with less the loads would wait for one
// another.
template <typename T>
__global__ void __launch_bounds__(kThreads, 1)
    ssm_step_fast_kernel(const __grid_constant__ SsmStepParams<T> params) {
  constexpr int kWide = kWideElements<T>;
  constexpr int kPackets = kLongestRank / (kLanes * kWide);  // of a lane in a row of dt_proj
  constexpr int kInputs = kLongestRank + 2 * kStates;
  __shared__ Packet<T, kWide> inputs[kInputs / kWide];  // dt, then zeros, then B and C
  let_next_kernel_begin();
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kLanes;
  const int rank = static_cast<int>(params.dt_rank);
  const std::int64_t own = std::int64_t{blockIdx.x} * kChannels + thread / kLanes;
  // Lanes without a channel stay for the shuffles, with the last one's.
  const bool exists = own < params.channels;
  const std::int64_t channel = exists ? own : params.channels - 1;
  Packet<T, kWide> weights[kPackets] = {};
  const T* weight_row = params.dt_proj + channel * rank;
#pragma unroll
  for (int k = 0; k < kPackets; ++k) {
    const int place = (k * kLanes + lane) * kWide;
    if (place < rank) weights[k] = load_packet<kWide>(weight_row + place);
  }
  const std::int64_t at = blockIdx.y * params.channels + channel;
  float* const states = params.state + at * kStates + lane * kEach;
  const float* const A_row = params.A + channel * kStates + lane * kEach;
  fetch_to_l2(states);
  fetch_to_l2(A_row);
  if (thread == 0) {
    fetch_to_l2(params.delta_bias + channel);
    fetch_to_l2(params.D + channel);
  }
  wait_for_kernel_before();

  const T* row = params.dt_B_C + std::int64_t{blockIdx.y} * (rank + 2 * kStates);
  Packet<T, kWide> input = {};
  const int place = thread * kWide;
  const bool of_dt = place < kLongestRank;
  if (of_dt ? place < rank : place < kInputs) {
    input = load_packet<kWide>(row + (of_dt ? place : rank + place - kLongestRank));
  }
  const auto state_packet = load_packet<kEach>(static_cast<const float*>(states));
  const auto A_packet = load_packet<kEach>(A_row);
  const float bias = params.delta_bias[channel], skip = params.D[channel];
  const float u = to_accumulate(params.u[at]), z = to_accumulate(params.z[at]);
  if (place < kInputs) inputs[thread] = input;
  __syncthreads();

  float products[2] = {};  // of even and odd elements
#pragma unroll
  for (int k = 0; k < kPackets; ++k) {
    float weight[kWide], dt[kWide];
    unpack(weights[k], weight);
    unpack(inputs[k * kLanes + lane], dt);
#pragma unroll
    for (int i = 0; i < kWide; ++i) products[i % 2] += weight[i] * dt[i];
  }
  const float delta = to_accumulate(round_to<T>(sum_over_lanes(products[0] + products[1])));
  const float d = precise_softplus(delta + bias);
  const T* B_row = reinterpret_cast<const T*>(inputs) + kLongestRank + lane * kEach;
  float state[kEach], A[kEach], B[kEach], C[kEach], y = 0;
  unpack(state_packet, state);
  unpack(A_packet, A);
  unpack(load_packet<kEach>(B_row), B);
  unpack(load_packet<kEach>(B_row + kStates), C);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    state[i] = fast_exp2(d * (A[i] * kLog2E<float>)) * state[i] + d * u * B[i];
    y += state[i] * C[i];
  }
  y = sum_over_lanes(y);
  if (!exists) return;
  store_packet(pack<float>(state), states);
  if (lane == 0) params.out[at] = round_to<T>((y + skip * u) * fast_silu<T>(z));
}

}  // namespace

template <typename T>
bool fast_path_takes(const SsmStepParams<T>& params) {
  constexpr int kWide = kWideElements<T>;
  return params.states == kStates && params.dt_rank % kWide == 0 &&
         params.dt_rank <= kLongestRank && takes_packets(params.dt_B_C, kWide) &&
         takes_packets(params.dt_proj, kWide) &&
         takes_packets(static_cast<const float*>(params.state), kEach) &&
         takes_packets(params.A, kEach);
}

template <typename T>
cudaError_t ssm_step_fast(const SsmStepParams<T>& params, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(ceil_div(params.channels, kChannels)),
                  static_cast<unsigned>(params.sequences));
  return launch_step(ssm_step_fast_kernel<T>, grid, kThreads, 0, stream, params);
}

template bool fast_path_takes(const SsmStepParams<float>&);
template bool fast_path_takes(const SsmStepParams<BFloat16>&);
template bool fast_path_takes(const SsmStepParams<Float16>&);
template cudaError_t ssm_step_fast(const SsmStepParams<float>&, cudaStream_t);
template cudaError_t ssm_step_fast(const SsmStepParams<BFloat16>&, cudaStream_t);
template cudaError_t ssm_step_fast(const SsmStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
