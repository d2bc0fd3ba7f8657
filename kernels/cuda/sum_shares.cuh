// The last step of sums over many blocks: each block has left its share, and these are added in a
// fixed order.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/launch.h"

namespace simba::kernels {

inline constexpr int kShareColumns = 32;
inline constexpr int kShareRows = 16;

// For `block` of those that take 32 neighbouring sums each: take(i, sum) with
//   sum = shares[0 * stride + i] + ... + shares[(count - 1) * stride + i], i < size,
// of each. All threads of the block call it; its 16 rows of threads add the shares in turn, and
// their sums are then added in order.
template <typename Acc, typename Take>
__device__ void for_sums_of_shares(std::int64_t block, const Acc* shares, std::int64_t count,
                                   std::int64_t stride, std::int64_t size, const Take& take) {
  __shared__ Acc rows[kShareRows][kShareColumns];
  const int x = threadIdx.x % kShareColumns, y = threadIdx.x / kShareColumns;
  const std::int64_t i = block * kShareColumns + x;
  Acc sum = 0;
  if (i < size) {
#pragma unroll 4
    for (std::int64_t j = y; j < count; j += kShareRows) sum += shares[j * stride + i];
  }
  rows[y][x] = sum;
  __syncthreads();
  if (y > 0 || i >= size) return;
  for (int j = 1; j < kShareRows; ++j) sum += rows[j][x];
  take(i, sum);
}

template <typename Acc>
__global__ void __launch_bounds__(kShareColumns* kShareRows)
    sum_shares_kernel(const Acc* shares, std::int64_t count, std::int64_t stride, std::int64_t size,
                      Acc* sums) {
  for_sums_of_shares(blockIdx.x, shares, count, stride, size,
                     [&](std::int64_t i, Acc sum) { sums[i] = sum; });
}

// sums[i] = the sum over `count` shares, `stride` apart, i < size.
template <typename Acc>
void sum_shares(const Acc* shares, std::int64_t count, std::int64_t stride, std::int64_t size,
                Acc* sums, cudaStream_t stream) {
  if (size == 0) return;
  sum_shares_kernel<<<static_cast<unsigned>(ceil_div(size, kShareColumns)),
                      kShareColumns * kShareRows, 0, stream>>>(shares, count, stride, size, sums);
}

}  // namespace simba::kernels
