// The two CUDA kernels of selective_state_update.h, of which selective_state_update_cuda chooses.
// Sizes are valid and there is something to do.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_state_update/selective_state_update.h"

namespace simba::kernels {

template <typename T>
cudaError_t selective_state_update_portable(const SelectiveStateUpdateParams<T>& params,
                                            cudaStream_t stream);

// 4 states at a time. Takes N = 16 with states, A, B and C that lie where 4 elements can be moved
// in one access, of any T but double.
template <typename T>
bool fast_path_takes(const SelectiveStateUpdateParams<T>& params);
template <typename T>
cudaError_t selective_state_update_fast(const SelectiveStateUpdateParams<T>& params,
                                        cudaStream_t stream);

}  // namespace simba::kernels
