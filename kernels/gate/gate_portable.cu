// out[b, r] = y[b, i] * silu(z[b, i]), i = indices[b, r] or r. One block of 256 threads per output
// row, rows beyond the grid's limit taken in turn; neighbouring threads take neighbouring channels.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"
#include "kernels/gate/gate_paths.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void __launch_bounds__(kThreads) gate_kernel(GateParams<T> params) {
  const std::int64_t rows = params.batch * params.rows;
  for (std::int64_t flat = blockIdx.x; flat < rows; flat += gridDim.x) {
    const std::int64_t batch = flat / params.rows;
    const std::int64_t row = flat % params.rows;
    const std::int64_t source = params.indices ? params.indices[flat] : row;
    const T* y = params.y.row(batch, source);
    const T* z = params.z.row(batch, source);
    T* out = params.out.row(batch, row);
    for (std::int64_t d = threadIdx.x; d < params.channels; d += kThreads) {
      out[d] = round_to<T>(to_accumulate(y[d]) * silu(to_accumulate(z[d])));
    }
  }
}

}  // namespace

template <typename T>
cudaError_t gate_portable(const GateParams<T>& params, cudaStream_t stream) {
  gate_kernel<<<grid_blocks(params.batch * params.rows), kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

template cudaError_t gate_portable(const GateParams<float>&, cudaStream_t);
template cudaError_t gate_portable(const GateParams<double>&, cudaStream_t);
template cudaError_t gate_portable(const GateParams<BFloat16>&, cudaStream_t);
template cudaError_t gate_portable(const GateParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
