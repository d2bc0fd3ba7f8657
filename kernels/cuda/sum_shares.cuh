// The last step of sums over many blocks: each block has left its share, and these are added in a
// fixed order.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/launch.h"

namespace simba::kernels {

inline constexpr int kShareColumns = 32;
inline constexpr int kShareRows = 16;

// sums[i] = shares[0 * stride + i] + ... + shares[(count - 1) * stride + i], i < size. A block
// takes 32 neighbouring sums; its 16 rows of threads take the shares in turn, whose sums are then
// added in order. `limit`, where given, lies on the device and holds how many shares there really
// are.
template <typename Acc>
__global__ void __launch_bounds__(kShareColumns* kShareRows)
    sum_shares_kernel(const Acc* shares, std::int64_t count, const std::int32_t* limit,
                      std::int64_t stride, std::int64_t size, Acc* sums) {
  __shared__ Acc rows[kShareRows][kShareColumns];
  const int x = threadIdx.x % kShareColumns, y = threadIdx.x / kShareColumns;
  const std::int64_t i = std::int64_t(blockIdx.x) * kShareColumns + x;
  const std::int64_t last = limit ? *limit : count;
  Acc sum = 0;
  if (i < size) {
#pragma unroll 4
    for (std::int64_t j = y; j < last; j += kShareRows) sum += shares[j * stride + i];
  }
  rows[y][x] = sum;
  __syncthreads();
  if (y > 0 || i >= size) return;
  for (int j = 1; j < kShareRows; ++j) sum += rows[j][x];
  sums[i] = sum;
}

template <typename Acc>
void sum_shares(const Acc* shares, std::int64_t count, const std::int32_t* limit,
                std::int64_t stride, std::int64_t size, Acc* sums, cudaStream_t stream) {
  if (size == 0) return;
  sum_shares_kernel<<<static_cast<unsigned>(ceil_div(size, kShareColumns)),
                      kShareColumns * kShareRows, 0, stream>>>(shares, count, limit, stride, size,
                                                               sums);
}

}  // namespace simba::kernels
