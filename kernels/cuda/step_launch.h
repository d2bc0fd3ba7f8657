// Launches the kernels of a decoding step, which are short and follow one another closely.
#pragma once

#include "kernels/cuda/dependent_launch.h"

namespace simba::kernels {

// launch_dependent, with as much shared memory as the device has. A multiprocessor divides its
// memory into L1 and shared memory anew only when nothing runs on it, so a kernel could not begin
// beside one that asks for another division: all of these ask for the same.
template <typename... Parameters, typename... Arguments>
cudaError_t launch_step(void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                        std::size_t shared, cudaStream_t stream, const Arguments&... arguments) {
  constexpr std::size_t kAlwaysGranted = 40 * 1024;  // beside some that the kernel itself declares
  cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                           cudaSharedmemCarveoutMaxShared);
  if (error == cudaSuccess && shared > kAlwaysGranted) {
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared));
  }
  if (error != cudaSuccess) return error;
  return launch_dependent(kernel, grid, threads, shared, stream, arguments...);
}

}  // namespace simba::kernels
