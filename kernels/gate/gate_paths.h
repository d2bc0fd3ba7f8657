// The two CUDA kernels of gate.h, of which gate_cuda chooses. Sizes are valid and none is zero.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/gate/gate.h"

namespace simba::kernels {

template <typename T>
cudaError_t gate_portable(const GateParams<T>& params, cudaStream_t stream);

// 16 bytes at a time. Takes D that are multiples of 16 bytes in rows aligned to them, of any T but
// double.
template <typename T>
bool fast_path_takes(const GateParams<T>& params);
template <typename T>
cudaError_t gate_fast(const GateParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
