// Aligned rows (gemv_stream_kernel): where there are rows enough, a block of 8 warps takes a
// stretch of them, a row per warp at a time; else several warps share a row, so that the device is
// filled. Other rows: a block takes 8. Sums: per lane in ascending order, then over lanes, then
// over the row's warps, each in a fixed order.
#include <limits>

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/gemv_cuda.h"
#include "kernels/gemv/row_product.cuh"
#include "kernels/gemv/row_stream.cuh"

namespace simba::kernels {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;

// row_warps: warps of a row; above 1, a block has only kWarps / row_warps rows.
template <typename T, int kRows>
__global__ void __launch_bounds__(kThreads)
    gemv_stream_kernel(GemvParams<T> params, int row_warps, std::int64_t block_rows) {
  __shared__ WarpRing<T> rings[kWarps];
  __shared__ float partial[kWarps][kRows];
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const int part = warp % row_warps;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * block_rows;
  const std::int64_t end = min(begin + block_rows, params.outer);
  const auto rows = static_cast<int>(params.rows);
  RowStream<T, kRows> stream(rings[warp], params.weight, params.inner, begin + warp / row_warps,
                             kWarps / row_warps, end, part * kWarpSize + lane,
                             row_warps * kWarpSize);
  wait_for_kernel_before();
  stream.run(params.x, rows, [&](std::int64_t row, const float(&sums)[kRows]) {
    float mine = 0;  // lane s keeps the sum of row s of x
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      const float sum = warp_sum(sums[s]);
      if (lane == s) mine = sum;
    }
    if (row_warps > 1) {
      if (lane < kRows) partial[warp][lane] = mine;
    } else if (lane < rows) {
      params.out[lane * params.outer + row] = round_to<T>(mine);
    }
  });
  if (row_warps == 1) return;
  __syncthreads();
  const std::int64_t row = begin + warp / row_warps;
  if (row >= end || part != 0 || lane >= rows) return;
  float sum = 0;
  for (int i = 0; i < row_warps; ++i) sum += partial[warp + i][lane];
  params.out[lane * params.outer + row] = round_to<T>(sum);
}

template <typename T, int kRows>
__global__ void __launch_bounds__(kThreads) gemv_kernel(GemvParams<T> params) {
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + warp;
  if (row >= params.outer) return;
  RowProduct<T, 1, kRows> product(params.weight + row * params.inner, params.inner, lane,
                                  kWarpSize);
  product.fetch();
  wait_for_kernel_before();
  float sums[kRows] = {};
  const auto rows = static_cast<int>(params.rows);
  product.add(params.x, params.inner, rows, sums);
#pragma unroll
  for (int s = 0; s < kRows; ++s) {
    const float sum = warp_sum(sums[s]);
    if (lane == s && s < rows) params.out[s * params.outer + row] = round_to<T>(sum);
  }
}

template <typename T, int kRows>
cudaError_t launch(const GemvParams<T>& params, cudaStream_t stream) {
  constexpr int kWide = kWideElements<T>;
  const bool streams = params.inner % kWide == 0 && takes_packets(params.x, kWide) &&
                       takes_packets(params.weight, kWide) &&
                       params.inner <= std::numeric_limits<int>::max() / 2 &&
                       code_capability(gemv_stream_kernel<T, kRows>) >= 80;
  if (!streams) {
    const auto blocks = static_cast<unsigned>(ceil_div(params.outer, std::int64_t{kWarps}));
    return launch_dependent(gemv_kernel<T, kRows>, dim3(blocks), kThreads, 0, stream, params);
  }
  const int multiprocessors = multiprocessor_count();
  if (multiprocessors == 0) return cudaErrorNoDevice;
  // As many warps as read at the device's speed, while each has a few packets to read.
  const std::int64_t enough_warps = std::int64_t{32} * multiprocessors;
  int row_warps = 1;
  while (row_warps < kWarps && params.outer * row_warps < enough_warps &&
         params.inner >= 2 * row_warps * kWarpSize * kWide) {
    row_warps *= 2;
  }
  const std::int64_t block_rows =
      row_warps > 1 ? kWarps / row_warps : rows_per_block(params.outer, kWarps, multiprocessors);
  const auto blocks = static_cast<unsigned>(ceil_div(params.outer, block_rows));
  return launch_dependent(gemv_stream_kernel<T, kRows>, dim3(blocks), kThreads, 0, stream, params,
                          row_warps, block_rows);
}

}  // namespace

template <typename T>
cudaError_t gemv_cuda(const GemvParams<T>& params, cudaStream_t stream) {
  if (params.rows < 0 || params.rows > kFewRows || params.inner < 0 || params.outer < 0 ||
      params.outer > kMaxGridBlocks) {
    return cudaErrorInvalidValue;
  }
  if (params.rows == 0 || params.outer == 0) return cudaSuccess;
  if (params.rows == 1) return launch<T, 1>(params, stream);
  if (params.rows == 2) return launch<T, 2>(params, stream);
  return launch<T, kFewRows>(params, stream);
}

template cudaError_t gemv_cuda(const GemvParams<float>&, cudaStream_t);
template cudaError_t gemv_cuda(const GemvParams<BFloat16>&, cudaStream_t);
template cudaError_t gemv_cuda(const GemvParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
