// Gradients of add_norm.h, any D. One block of 256 threads per run of source rows; a thread takes
// every 256th channel. A row is read once per sum it needs (from the first-level cache after the
// first time). Where several output rows were picked from one, their gradients are added in the
// gradient's own type. Sums are per thread, then over lanes, then over warps, always in the same
// order; the shares of a run are added up in scratch, each element by one thread.
#include "kernels/add_norm_backward/norm_backward_paths.h"
#include "kernels/cuda/block.cuh"
#include "kernels/cuda/numeric.cuh"

namespace simba::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

template <typename T, typename R>
__global__ void __launch_bounds__(kThreads)
    norm_backward_kernel(AddNormBackwardParams<T, R> params, std::int64_t run) {
  using Acc = AccumulateType<T>;
  const PickedRows& picked = params.picked;
  const std::int64_t D = params.channels, sources = params.batch * picked.sources;
  const Acc channels = static_cast<Acc>(D);
  Acc* grad_weight = params.scratch + blockIdx.x * 2 * D;
  Acc* grad_bias = grad_weight + D;
  for (std::int64_t d = threadIdx.x; d < 2 * D; d += kThreads) grad_weight[d] = 0;
  __syncthreads();
  const std::int64_t stop = min((blockIdx.x + 1) * run, sources);
  for (std::int64_t flat = blockIdx.x * run; flat < stop; ++flat) {
    const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
    const std::int64_t first = picked.first(b, l);
    R* grad_residual = params.grad_residual ? params.grad_residual.row(b, l) : nullptr;
    T* source_grad_x = grad_residual ? nullptr : params.grad_x.row(b, l);
    if (first == picked.rows) {
      for (std::int64_t d = threadIdx.x; d < D; d += kThreads) {
        if (grad_residual) {
          grad_residual[d] = round_to<R>(Acc(0));
        } else {
          source_grad_x[d] = round_to<T>(Acc(0));
        }
      }
    }
    for (std::int64_t r = first; r < picked.rows; r = picked.next(b, r)) {
      const R* s = params.new_residual.row(b, r);
      const T* grad = params.grad_normed.row(b, r);
      Acc mean = 0;
      if (params.grad_bias) {
        Acc sum = 0;
        for (std::int64_t d = threadIdx.x; d < D; d += kThreads) sum += to_accumulate(s[d]);
        mean = block_sum<kWarps>(sum) / channels;
      }
      Acc squares = 0, products = 0, total = 0;
      for (std::int64_t d = threadIdx.x; d < D; d += kThreads) {
        const Acc centred = to_accumulate(s[d]) - mean;
        const Acc f = to_accumulate(grad[d]) * params.weight[d];
        squares += centred * centred;
        products += f * centred;
        total += f;
      }
      const Acc variance = block_sum<kWarps>(squares) / channels;
      const Acc scale = Acc(1) / sqrt(variance + static_cast<Acc>(params.eps));
      const Acc along = block_sum<kWarps>(products) / channels * scale;
      const Acc offset = params.grad_bias ? block_sum<kWarps>(total) / channels : Acc(0);
      for (std::int64_t d = threadIdx.x; d < D; d += kThreads) {
        const Acc e = (to_accumulate(s[d]) - mean) * scale, g = to_accumulate(grad[d]);
        Acc ds = (g * params.weight[d] - e * along - offset) * scale;
        if (params.grad_new_residual) ds += to_accumulate(params.grad_new_residual.row(b, r)[d]);
        grad_weight[d] += g * e;
        grad_bias[d] += g;
        if (grad_residual) {
          params.grad_x.row(b, r)[d] = round_to<T>(ds);
          grad_residual[d] = round_to<R>(r == first ? ds : ds + to_accumulate(grad_residual[d]));
        } else {
          source_grad_x[d] = round_to<T>(r == first ? ds : ds + to_accumulate(source_grad_x[d]));
        }
      }
    }
  }
}

}  // namespace

template <typename T, typename R>
cudaError_t norm_backward_portable(const AddNormBackwardParams<T, R>& params, std::int64_t run,
                                   std::int64_t runs, cudaStream_t stream) {
  norm_backward_kernel<<<static_cast<unsigned>(runs), kThreads, 0, stream>>>(params, run);
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T, R)                                                                 \
  template cudaError_t norm_backward_portable(const AddNormBackwardParams<T, R>&, std::int64_t, \
                                              std::int64_t, cudaStream_t);
SIMBA_INSTANTIATE(float, float)
SIMBA_INSTANTIATE(double, double)
SIMBA_INSTANTIATE(BFloat16, BFloat16)
SIMBA_INSTANTIATE(BFloat16, float)
SIMBA_INSTANTIATE(Float16, Float16)
SIMBA_INSTANTIATE(Float16, float)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
