// 16 neighbouring lanes take one channel of one sequence: together the product with dt_proj's row,
// then lane i the states i, i + 16, ... The channel's partial sums are added in a fixed tree.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/row_product.cuh"
#include "kernels/ssm_step/ssm_step_paths.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kLanes = 16;
constexpr int kChannels = kThreads / kLanes;  // of a block

__device__ float sum_over_lanes(float value) {
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

template <typename T, int kCount>
__global__ void __launch_bounds__(kThreads) ssm_step_kernel(SsmStepParams<T> params) {
  let_next_kernel_begin();
  const int lane = threadIdx.x % kLanes;
  const std::int64_t channel =
      static_cast<std::int64_t>(blockIdx.x) * kChannels + threadIdx.x / kLanes;
  const std::int64_t s = blockIdx.y;
  // Lanes without a channel stay for the shuffles.
  const bool exists = channel < params.channels;
  RowProduct<T, kCount, 1> product(params.dt_proj + (exists ? channel : 0) * params.dt_rank,
                                   exists ? params.dt_rank : 0, lane, kLanes);
  product.fetch();
  wait_for_kernel_before();

  const T* dt = params.dt_B_C + s * (params.dt_rank + 2 * params.states);
  const T* B = dt + params.dt_rank;
  const T* C = B + params.states;
  float delta[1] = {};
  product.add(dt, 0, 1, delta);
  const float d_raw = to_accumulate(round_to<T>(sum_over_lanes(delta[0])));
  float u = 0, y = 0;
  const std::int64_t at = s * params.channels + channel;
  if (exists) {
    u = to_accumulate(params.u[at]);
    const float d = softplus(d_raw + params.delta_bias[channel]);
    float* state = params.state + at * params.states;
    const float* A = params.A + channel * params.states;
    for (std::int64_t n = lane; n < params.states; n += kLanes) {
      const float h = exp2(d * (A[n] * kLog2E<float>)) * state[n] + d * u * to_accumulate(B[n]);
      state[n] = h;
      y += h * to_accumulate(C[n]);
    }
  }
  y = sum_over_lanes(y);
  if (!exists || lane != 0) return;
  y += params.D[channel] * u;
  params.out[at] = round_to<T>(y * silu(to_accumulate(params.z[at])));
}

}  // namespace

template <typename T>
cudaError_t ssm_step_portable(const SsmStepParams<T>& params, cudaStream_t stream) {
  constexpr int kWide = kWideElements<T>;
  const bool wide = params.dt_rank % kWide == 0 && 2 * params.states % kWide == 0 &&
                    takes_packets(params.dt_B_C, kWide) && takes_packets(params.dt_proj, kWide);
  const dim3 grid(static_cast<unsigned>(ceil_div(params.channels, kChannels)),
                  static_cast<unsigned>(params.sequences));
  return launch_dependent(wide ? ssm_step_kernel<T, kWide> : ssm_step_kernel<T, 1>, grid, kThreads,
                          0, stream, params);
}

template cudaError_t ssm_step_portable(const SsmStepParams<float>&, cudaStream_t);
template cudaError_t ssm_step_portable(const SsmStepParams<BFloat16>&, cudaStream_t);
template cudaError_t ssm_step_portable(const SsmStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
