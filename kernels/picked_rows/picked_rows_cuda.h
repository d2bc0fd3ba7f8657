// CUDA launcher of picked_rows.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/picked_rows/picked_rows.h"

namespace simba::kernels {

// cudaErrorInvalidValue: too many batch rows for one grid. Otherwise the error of the launch.
// Indices are not checked.
cudaError_t link_picked_rows_cuda(const LinkPickedRowsParams& params, cudaStream_t stream);

}  // namespace simba::kernels
