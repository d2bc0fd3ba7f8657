#include "kernels/selective_state_update/selective_state_update_cuda.h"

#include "kernels/cuda/path.h"
#include "kernels/selective_state_update/selective_state_update_paths.h"

namespace simba::kernels {

template <typename T>
cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<T>& params,
                                        cudaStream_t stream) {
  if (params.sequences < 0 || params.channels < 0 || params.states < 0) {
    return cudaErrorInvalidValue;
  }
  if (params.sequences == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      return selective_state_update_fast(params, stream);
    }
  }
  return selective_state_update_portable(params, stream);
}

template cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<float>&,
                                                 cudaStream_t);
template cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<double>&,
                                                 cudaStream_t);
template cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<BFloat16>&,
                                                 cudaStream_t);
template cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<Float16>&,
                                                 cudaStream_t);

}  // namespace simba::kernels
