// s = x + residual, out as the new residual and normalised: RMSNorm, or LayerNorm where a bias is
// given. One block of 256 threads per output row, rows beyond the grid's limit taken in turn. A row
// is read once per sum it needs (from the first-level cache after the first time), so no D is too
// long for it; sums are per thread, then over lanes, then over warps, always in the same order. The
// variance is that of s - mean.
#include "kernels/add_norm/add_norm_paths.h"
#include "kernels/cuda/block.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"

namespace simba::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

template <typename T, typename R>
__global__ void __launch_bounds__(kThreads) add_norm_kernel(AddNormParams<T, R> params) {
  using Acc = AccumulateType<T>;
  const std::int64_t rows = params.batch * params.rows;
  for (std::int64_t flat = blockIdx.x; flat < rows; flat += gridDim.x) {
    const std::int64_t batch = flat / params.rows;
    const std::int64_t row = flat % params.rows;
    const std::int64_t source = params.indices ? params.indices[flat] : row;
    const T* x = params.x.row(batch, params.residual ? row : source);
    const R* residual = params.residual ? params.residual.row(batch, source) : nullptr;
    const auto added = [&](std::int64_t d) {
      const Acc value = to_accumulate(x[d]);
      return residual ? value + to_accumulate(residual[d]) : value;
    };

    Acc mean = 0;
    if (params.bias) {
      Acc sum = 0;
      for (std::int64_t d = threadIdx.x; d < params.channels; d += kThreads) sum += added(d);
      mean = block_sum<kWarps>(sum) / static_cast<Acc>(params.channels);
    }
    Acc squares = 0;
    for (std::int64_t d = threadIdx.x; d < params.channels; d += kThreads) {
      const Acc centred = added(d) - mean;
      squares += centred * centred;
    }
    const Acc mean_square = block_sum<kWarps>(squares) / static_cast<Acc>(params.channels);
    const Acc scale = Acc(1) / sqrt(mean_square + static_cast<Acc>(params.eps));

    T* normed = params.normed.row(batch, row);
    R* new_residual = params.new_residual.row(batch, row);
    for (std::int64_t d = threadIdx.x; d < params.channels; d += kThreads) {
      const Acc value = added(d);
      const Acc bias = params.bias ? params.bias[d] : Acc(0);
      new_residual[d] = round_to<R>(value);
      normed[d] = round_to<T>((value - mean) * scale * params.weight[d] + bias);
    }
  }
}

}  // namespace

template <typename T, typename R>
cudaError_t add_norm_portable(const AddNormParams<T, R>& params, cudaStream_t stream) {
  add_norm_kernel<<<grid_blocks(params.batch * params.rows), kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

template cudaError_t add_norm_portable(const AddNormParams<float, float>&, cudaStream_t);
template cudaError_t add_norm_portable(const AddNormParams<double, double>&, cudaStream_t);
template cudaError_t add_norm_portable(const AddNormParams<BFloat16, BFloat16>&, cudaStream_t);
template cudaError_t add_norm_portable(const AddNormParams<BFloat16, float>&, cudaStream_t);
template cudaError_t add_norm_portable(const AddNormParams<Float16, Float16>&, cudaStream_t);
template cudaError_t add_norm_portable(const AddNormParams<Float16, float>&, cudaStream_t);

}  // namespace simba::kernels
