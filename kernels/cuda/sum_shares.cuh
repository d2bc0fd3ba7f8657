// The last step of sums over many blocks: each block has left its share, and these are added in a
// fixed order.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/launch.h"

namespace simba::kernels {

inline constexpr int kShareThreads = 512;
// Rows of threads for sums of many shares, of which there are few.
inline constexpr int kShareRows = 16;
inline constexpr int kShareColumns = kShareThreads / kShareRows;

// For `block` of those that take kShareThreads / kRows neighbouring sums each: take(i, sum) with
//   sum = shares[0 * stride + i] + ... + shares[(count - 1) * stride + i], i < size,
// of each. All threads of the block call it; its kRows rows of threads add the shares in turn, and
// their sums are then added in order.
template <int kRows, typename Acc, typename Take>
__device__ void for_sums_of_shares(std::int64_t block, const Acc* shares, std::int64_t count,
                                   std::int64_t stride, std::int64_t size, const Take& take) {
  constexpr int kColumns = kShareThreads / kRows;
  __shared__ Acc rows[kRows][kColumns];
  const int x = threadIdx.x % kColumns, y = threadIdx.x / kColumns;
  const std::int64_t i = block * kColumns + x;
  Acc sum = 0;
  if (i < size) {
#pragma unroll 8
    for (std::int64_t j = y; j < count; j += kRows) sum += shares[j * stride + i];
  }
  rows[y][x] = sum;
  __syncthreads();
  if (y > 0 || i >= size) return;
  for (int j = 1; j < kRows; ++j) sum += rows[j][x];
  take(i, sum);
}

template <typename Acc>
__global__ void __launch_bounds__(kShareThreads)
    sum_shares_kernel(const Acc* shares, std::int64_t count, std::int64_t stride, std::int64_t size,
                      Acc* sums) {
  for_sums_of_shares<kShareRows>(blockIdx.x, shares, count, stride, size,
                                 [&](std::int64_t i, Acc sum) { sums[i] = sum; });
}

// sums[i] = the sum over `count` shares, `stride` apart, i < size.
template <typename Acc>
void sum_shares(const Acc* shares, std::int64_t count, std::int64_t stride, std::int64_t size,
                Acc* sums, cudaStream_t stream) {
  if (size == 0) return;
  sum_shares_kernel<<<static_cast<unsigned>(ceil_div(size, kShareColumns)), kShareThreads, 0,
                      stream>>>(shares, count, stride, size, sums);
}

}  // namespace simba::kernels
