#include "kernels/gemv/gemv_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/gemv/gemv_paths.h"

namespace simba::kernels {

template <typename T>
cudaError_t gemv_cuda(const GemvParams<T>& params, cudaStream_t stream) {
  if (params.rows < 0 || params.rows > kFewRows || params.inner < 0 || params.outer < 0 ||
      params.outer > kMaxGridBlocks) {
    return cudaErrorInvalidValue;
  }
  if (params.rows == 0 || params.outer == 0) return cudaSuccess;
  if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) return gemv_fast(params, stream);
  return gemv_portable(params, stream);
}

template cudaError_t gemv_cuda(const GemvParams<float>&, cudaStream_t);
template cudaError_t gemv_cuda(const GemvParams<BFloat16>&, cudaStream_t);
template cudaError_t gemv_cuda(const GemvParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
