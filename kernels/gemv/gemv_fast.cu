// A block to a multiprocessor, each with its stretch of the weight's rows (row_stream.cuh). A
// single row of x goes straight to the registers of those who need it, so that nobody waits for
// others; several go to shared memory.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/step_launch.h"
#include "kernels/gemv/gemv_paths.h"
#include "kernels/gemv/row_stream.cuh"

namespace simba::kernels {
namespace {

template <typename T, int kRows>
__global__ void __launch_bounds__(kStreamWarps<kRows>* kWarpSize, 1)
    gemv_fast_kernel(const __grid_constant__ GemvParams<T> params, RowSplit split) {
  extern __shared__ uint4 shared[];  // several rows of x, and the sums
  let_next_kernel_begin();
  const auto rows = static_cast<int>(params.rows), inner = static_cast<int>(params.inner);
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * split.block_rows;
  const auto count = static_cast<int>(min(std::int64_t{split.block_rows}, params.outer - begin));
  RowStream<T, kRows> stream(params.weight + begin * inner, inner, count, split);
  stream.fetch();
  wait_for_kernel_before();
  int packets = 0;  // of x in shared memory
  if constexpr (kRows == 1) {
    stream.take(params.x, inner, rows);
  } else {
    packets = rows * inner / kWideElements<T>;
    for (int i = static_cast<int>(threadIdx.x); i < packets; i += static_cast<int>(blockDim.x)) {
      async_copy_16(shared + i, reinterpret_cast<const uint4*>(params.x) + i, true);
    }
    close_async_copies();
    wait_for_async_copies<0>();
    __syncthreads();
    stream.take(reinterpret_cast<const T*>(shared), inner, rows);
  }
  float* sums = reinterpret_cast<float*>(shared + packets);
  stream.multiply(sums);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < rows * count; i += static_cast<int>(blockDim.x)) {
    const int s = i / count, row = i % count;
    params.out[s * params.outer + begin + row] =
        round_to<T>(stream_sum<kRows>(sums, split.segments, row, s));
  }
}

template <typename T, int kRows>
cudaError_t launch(const GemvParams<T>& params, cudaStream_t stream) {
  const int processors = multiprocessor_count();
  if (processors == 0) return cudaErrorNoDevice;
  const RowSplit split = split_rows<T, kRows>(params.inner, params.outer, processors);
  const std::size_t x_bytes = kRows == 1 ? 0 : params.rows * params.inner * sizeof(T);
  return launch_step(gemv_fast_kernel<T, kRows>, dim3(split.blocks), split.threads(),
                     x_bytes + split.sum_bytes<kRows>(), stream, params, split);
}

}  // namespace

template <typename T>
bool fast_path_takes(const GemvParams<T>& params) {
  constexpr int kWide = kWideElements<T>;
  // Code compiled for less has no asynchronous copies.
  static PerDevice code;
  const bool compiled =
      code.get([] { return code_capability(gemv_fast_kernel<T, kFewRows>); }) >= 80;
  const std::int64_t most_bytes = kFewRows * params.inner * sizeof(T) + kStreamSumBytes;
  return compiled && params.inner % kWide == 0 && params.inner <= kStreamLongest<T> &&
         takes_packets(params.x, kWide) && takes_packets(params.weight, kWide) &&
         most_bytes <= shared_memory_per_block();
}

template <typename T>
cudaError_t gemv_fast(const GemvParams<T>& params, cudaStream_t stream) {
  if (params.rows == 1) return launch<T, 1>(params, stream);
  if (params.rows == 2) return launch<T, 2>(params, stream);
  return launch<T, kFewRows>(params, stream);
}

template bool fast_path_takes(const GemvParams<float>&);
template bool fast_path_takes(const GemvParams<BFloat16>&);
template bool fast_path_takes(const GemvParams<Float16>&);
template cudaError_t gemv_fast(const GemvParams<float>&, cudaStream_t);
template cudaError_t gemv_fast(const GemvParams<BFloat16>&, cudaStream_t);
template cudaError_t gemv_fast(const GemvParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
