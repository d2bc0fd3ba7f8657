// Every block normalises all rows for itself, which costs less than a kernel for it, and then takes
// a stretch of in_proj's rows, a row per warp at a time. Block 0 writes the new residual.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/gemv.h"
#include "kernels/gemv/row_product.cuh"
#include "kernels/gemv/row_stream.cuh"
#include "kernels/in_proj_step/in_proj_step_cuda.h"

namespace simba::kernels {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;

// The sum over the block's threads, the same in all of them.
__device__ float block_sum(float value, float* of_warps) {
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % kWarpSize == 0) of_warps[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += of_warps[warp];
  return sum;
}

template <typename T>
__device__ float residual_sum(const InProjStepParams<T>& params, std::int64_t i) {
  const float hidden = to_accumulate(params.hidden[i]);
  return params.residual ? hidden + params.residual[i] : hidden;
}

template <typename T>
__device__ void normalise(const InProjStepParams<T>& params, T* normed, float* of_warps) {
  for (std::int64_t s = 0; s < params.rows; ++s) {
    const std::int64_t begin = s * params.d_model;
    float squares = 0;
    for (std::int64_t i = threadIdx.x; i < params.d_model; i += kThreads) {
      const float r = residual_sum(params, begin + i);
      if (blockIdx.x == 0) params.new_residual[begin + i] = r;
      squares += r * r;
    }
    const float mean = block_sum(squares, of_warps) / static_cast<float>(params.d_model);
    const float scale = 1 / sqrtf(mean + static_cast<float>(params.eps));
    for (std::int64_t i = threadIdx.x; i < params.d_model; i += kThreads) {
      const float r = residual_sum(params, begin + i);
      normed[begin + i] = round_to<T>(r * scale * params.norm_weight[i]);
    }
  }
  __syncthreads();
}

// u of one channel of sequence s; the state moves on.
template <typename T>
__device__ void convolve(const InProjStepParams<T>& params, std::int64_t s, std::int64_t channel,
                         T newest) {
  const std::int64_t older = params.width - 1;
  T* state = params.conv_state + (s * params.channels + channel) * older;
  const float* weight = params.conv_weight + channel * params.width;
  float sum = params.conv_bias ? params.conv_bias[channel] : 0;
  for (std::int64_t k = 0; k < older; ++k) {
    sum += weight[k] * to_accumulate(state[k]);
    state[k] = k + 1 < older ? state[k + 1] : newest;
  }
  sum += weight[older] * to_accumulate(newest);
  params.u[s * params.channels + channel] = round_to<T>(silu(sum));
}

// What becomes of one row of in_proj, given this lane's part of its sums.
template <typename T, int kRows>
__device__ void finish_row(const InProjStepParams<T>& params, std::int64_t row,
                           const float (&sums)[kRows]) {
  const int lane = threadIdx.x % kWarpSize;
  float mine = 0;  // lane s keeps the sum of sequence s
#pragma unroll
  for (int s = 0; s < kRows; ++s) {
    const float sum = warp_sum(sums[s]);
    if (lane == s) mine = sum;
  }
  if (lane >= params.rows) return;
  if (row < params.channels) {
    convolve(params, lane, row, round_to<T>(mine));
  } else {
    params.z[lane * params.channels + row - params.channels] = round_to<T>(mine);
  }
}

// kStreams: in_proj's rows are 16-byte aligned.
template <typename T, bool kStreams, int kRows>
__global__ void __launch_bounds__(kThreads)
    in_proj_step_kernel(InProjStepParams<T> params, std::int64_t block_rows) {
  extern __shared__ uint4 shared[];
  __shared__ float of_warps[kWarps];
  T* normed = reinterpret_cast<T*>(shared);
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * block_rows;
  const std::int64_t end = min(begin + block_rows, 2 * params.channels);
  const auto rows = static_cast<int>(params.rows);
  if constexpr (kStreams) {
    __shared__ WarpRing<T> rings[kWarps];
    RowStream<T, kRows> stream(rings[warp], params.in_proj, params.d_model, begin + warp, kWarps,
                               end, lane, kWarpSize);
    wait_for_kernel_before();
    normalise(params, normed, of_warps);
    stream.run(normed, rows,
               [&](std::int64_t row, const float(&sums)[kRows]) { finish_row(params, row, sums); });
  } else {
    wait_for_kernel_before();
    normalise(params, normed, of_warps);
    for (std::int64_t row = begin + warp; row < end; row += kWarps) {
      RowProduct<T, 1, kRows> product(params.in_proj + row * params.d_model, params.d_model, lane,
                                      kWarpSize);
      product.fetch();
      float sums[kRows] = {};
      product.add(normed, params.d_model, rows, sums);
      finish_row(params, row, sums);
    }
  }
}

template <typename T, int kRows>
cudaError_t launch(const InProjStepParams<T>& params, cudaStream_t stream) {
  const int multiprocessors = multiprocessor_count();
  if (multiprocessors == 0) return cudaErrorNoDevice;
  const std::int64_t block_rows = rows_per_block(2 * params.channels, kWarps, multiprocessors);
  const auto blocks = static_cast<unsigned>(ceil_div(2 * params.channels, block_rows));
  const std::size_t shared = params.rows * params.d_model * sizeof(T);
  constexpr int kWide = kWideElements<T>;
  const bool streams = params.d_model % kWide == 0 && takes_packets(params.in_proj, kWide) &&
                       code_capability(in_proj_step_kernel<T, true, kRows>) >= 80;
  const auto kernel =
      streams ? in_proj_step_kernel<T, true, kRows> : in_proj_step_kernel<T, false, kRows>;
  const cudaError_t error = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kInProjStepBytes));
  if (error != cudaSuccess) return error;
  return launch_dependent(kernel, dim3(blocks), kThreads, shared, stream, params, block_rows);
}

}  // namespace

template <typename T>
cudaError_t in_proj_step_cuda(const InProjStepParams<T>& params, cudaStream_t stream) {
  if (params.rows < 0 || params.rows > kFewRows || params.d_model < 1 || params.channels < 0 ||
      params.channels > kMaxGridBlocks || params.width < 1 ||
      params.rows * params.d_model * static_cast<std::int64_t>(sizeof(T)) > kInProjStepBytes) {
    return cudaErrorInvalidValue;
  }
  if (params.rows == 0 || params.channels == 0) return cudaSuccess;
  if (params.rows == 1) return launch<T, 1>(params, stream);
  if (params.rows == 2) return launch<T, 2>(params, stream);
  return launch<T, kFewRows>(params, stream);
}

template cudaError_t in_proj_step_cuda(const InProjStepParams<float>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<BFloat16>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
