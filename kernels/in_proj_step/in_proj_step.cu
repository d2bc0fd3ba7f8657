// Every block normalises all rows for itself, which costs less than a kernel for it, and then takes
// a stretch of in_proj's rows, a row per warp at a time. Block 0 writes the new residual.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/gemv.h"
#include "kernels/gemv/row_product.cuh"
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

template <typename T, int kCount, int kRows>
__global__ void __launch_bounds__(kThreads)
    in_proj_step_kernel(InProjStepParams<T> params, std::int64_t block_rows) {
  extern __shared__ uint4 shared[];
  __shared__ float of_warps[kWarps];
  T* normed = reinterpret_cast<T*>(shared);
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * block_rows;
  const std::int64_t all = 2 * params.channels;
  const std::int64_t end = begin + block_rows < all ? begin + block_rows : all;
  const auto rows = static_cast<int>(params.rows);
  const auto product_of = [&](std::int64_t row) {
    const bool exists = row < end;
    return RowProduct<T, kCount, kRows>(params.in_proj + (exists ? row : 0) * params.d_model,
                                        exists ? params.d_model : 0, lane, kWarpSize);
  };

  auto product = product_of(begin + warp);
  product.fetch();
  wait_for_kernel_before();
  normalise(params, normed, of_warps);
  for (std::int64_t row = begin + warp; row < end; row += kWarps) {
    float sums[kRows] = {};
    product.add(normed, params.d_model, rows, sums);
    product = product_of(row + kWarps);
    product.fetch();
    float mine = 0;  // lane s keeps the sum of sequence s
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      const float sum = warp_sum(sums[s]);
      if (lane == s) mine = sum;
    }
    if (lane >= rows) continue;
    if (row < params.channels) {
      convolve(params, lane, row, round_to<T>(mine));
    } else {
      params.z[lane * params.channels + row - params.channels] = round_to<T>(mine);
    }
  }
}

// Rows per block: of 1 to 4 blocks to a multiprocessor the number whose last round wastes least.
std::int64_t rows_per_block(std::int64_t rows, int processors) {
  std::int64_t best = 0, best_rounds_times_warps = 0;
  for (std::int64_t per_processor = 4; per_processor >= 1; --per_processor) {
    const std::int64_t warps = per_processor * processors * kWarps;
    const std::int64_t rounds = ceil_div(rows, warps);
    if (best == 0 || rounds * warps < best_rounds_times_warps) {
      best = rounds * kWarps;
      best_rounds_times_warps = rounds * warps;
    }
  }
  return best;
}

template <typename T, int kCount, int kRows>
cudaError_t launch(const InProjStepParams<T>& params, cudaStream_t stream) {
  const int processors = multiprocessor_count();
  if (processors == 0) return cudaErrorNoDevice;
  const std::int64_t block_rows = rows_per_block(2 * params.channels, processors);
  const std::int64_t blocks = ceil_div(2 * params.channels, block_rows);
  const std::size_t shared = params.rows * params.d_model * sizeof(T);
  return launch_dependent(in_proj_step_kernel<T, kCount, kRows>,
                          dim3(static_cast<unsigned>(blocks)), kThreads, shared, stream, params,
                          block_rows);
}

template <typename T, int kCount>
cudaError_t launch_rows(const InProjStepParams<T>& params, cudaStream_t stream) {
  if (params.rows == 1) return launch<T, kCount, 1>(params, stream);
  if (params.rows == 2) return launch<T, kCount, 2>(params, stream);
  return launch<T, kCount, kFewRows>(params, stream);
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
  constexpr int kWide = kWideElements<T>;
  const bool wide = params.d_model % kWide == 0 && takes_packets(params.in_proj, kWide);
  return wide ? launch_rows<T, kWide>(params, stream) : launch_rows<T, 1>(params, stream);
}

template cudaError_t in_proj_step_cuda(const InProjStepParams<float>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<BFloat16>&, cudaStream_t);
template cudaError_t in_proj_step_cuda(const InProjStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
