// Launches kernels that use dependent_launch.cuh.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/cuda/device.h"

namespace simba::kernels {

// kernel<<<grid, threads, shared, stream>>>(arguments...), beginning while the kernel before it
// still runs where the code that the device takes can wait for it (sm_90). kernel must call
// wait_for_kernel_before() in every thread that touches memory.
template <typename... Parameters, typename... Arguments>
cudaError_t launch_dependent(void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                             std::size_t shared, cudaStream_t stream,
                             const Arguments&... arguments) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = code_capability(kernel) >= 90 ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
}

}  // namespace simba::kernels
