#include "kernels/gate/gate_cuda.h"

#include "kernels/cuda/path.h"
#include "kernels/gate/gate_paths.h"

namespace simba::kernels {

template <typename T>
cudaError_t gate_cuda(const GateParams<T>& params, cudaStream_t stream) {
  if (params.batch < 0 || params.rows < 0 || params.channels < 0) return cudaErrorInvalidValue;
  if (params.batch == 0 || params.rows == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) return gate_fast(params, stream);
  }
  return gate_portable(params, stream);
}

template cudaError_t gate_cuda(const GateParams<float>&, cudaStream_t);
template cudaError_t gate_cuda(const GateParams<double>&, cudaStream_t);
template cudaError_t gate_cuda(const GateParams<BFloat16>&, cudaStream_t);
template cudaError_t gate_cuda(const GateParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
