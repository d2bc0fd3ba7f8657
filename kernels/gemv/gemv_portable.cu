// A block of 8 warps takes 8 rows of weight, or fewer with several warps to a row where there are
// not rows enough to fill the device. Sums: per lane in ascending order, then over lanes, then over
// the row's warps, each in a fixed order.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/gemv_paths.h"
#include "kernels/gemv/row_product.cuh"

namespace simba::kernels {
namespace {

constexpr int kWarps = 8;

template <typename T, int kCount, int kRows>
__global__ void __launch_bounds__(kWarps* kWarpSize)
    gemv_kernel(GemvParams<T> params, int warps_per_row) {
  __shared__ float partial[kWarps][kRows];
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const int part = warp % warps_per_row;
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kWarps / warps_per_row) + warp / warps_per_row;
  const bool exists = row < params.outer;
  const auto rows = static_cast<int>(params.rows);

  // A row that does not exist has no elements.
  RowProduct<T, kCount, kRows> product(params.weight + (exists ? row : 0) * params.inner,
                                       exists ? params.inner : 0, part * kWarpSize + lane,
                                       warps_per_row * kWarpSize);
  product.fetch();
  wait_for_kernel_before();
  float sums[kRows] = {};
  product.add(params.x, params.inner, rows, sums);
#pragma unroll
  for (int s = 0; s < kRows; ++s) {
    sums[s] = warp_sum(sums[s]);
    if (lane == 0) partial[warp][s] = sums[s];
  }
  __syncthreads();
  if (!exists || part != 0 || lane >= rows) return;
  float sum = 0;
  for (int i = 0; i < warps_per_row; ++i) sum += partial[warp + i][lane];
  params.out[lane * params.outer + row] = round_to<T>(sum);
}

template <typename T, int kCount, int kRows>
cudaError_t launch(const GemvParams<T>& params, cudaStream_t stream) {
  // As many warps as keep some hundred blocks busy, while each has a few packets to read.
  constexpr std::int64_t kEnoughWarps = 2048;
  int warps_per_row = 1;
  while (warps_per_row < kWarps && params.outer * warps_per_row < kEnoughWarps &&
         params.inner >= 2 * warps_per_row * kWarpSize * kCount) {
    warps_per_row *= 2;
  }
  const std::int64_t blocks = ceil_div(params.outer, kWarps / warps_per_row);
  return launch_dependent(gemv_kernel<T, kCount, kRows>, dim3(static_cast<unsigned>(blocks)),
                          kWarps * kWarpSize, 0, stream, params, warps_per_row);
}

template <typename T, int kCount>
cudaError_t launch_rows(const GemvParams<T>& params, cudaStream_t stream) {
  if (params.rows == 1) return launch<T, kCount, 1>(params, stream);
  if (params.rows == 2) return launch<T, kCount, 2>(params, stream);
  return launch<T, kCount, kFewRows>(params, stream);
}

}  // namespace

template <typename T>
cudaError_t gemv_portable(const GemvParams<T>& params, cudaStream_t stream) {
  constexpr int kWide = kWideElements<T>;
  const bool wide = params.inner % kWide == 0 && takes_packets(params.x, kWide) &&
                    takes_packets(params.weight, kWide);
  return wide ? launch_rows<T, kWide>(params, stream) : launch_rows<T, 1>(params, stream);
}

template cudaError_t gemv_portable(const GemvParams<float>&, cudaStream_t);
template cudaError_t gemv_portable(const GemvParams<BFloat16>&, cudaStream_t);
template cudaError_t gemv_portable(const GemvParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
