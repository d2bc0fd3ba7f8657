// The current device, and the code that it runs.
#pragma once

#include <cuda_runtime_api.h>

namespace simba::kernels {

// 10 times the major compute capability plus the minor one; 0 where there is no device.
inline int device_capability() {
  int device = 0, major = 0, minor = 0;
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess;
  return known ? 10 * major + minor : 0;
}

// The same of the code that the device would run of a kernel: a newer device can run code compiled
// for an older one. 0 where it has none.
template <typename... Parameters>
int code_capability(void (*kernel)(Parameters...)) {
  cudaFuncAttributes code{};
  const bool known =
      cudaFuncGetAttributes(&code, reinterpret_cast<const void*>(kernel)) == cudaSuccess;
  return known ? code.ptxVersion : 0;
}

// 0 where there is no device.
inline int multiprocessor_count() {
  int device = 0, count = 0;
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) == cudaSuccess;
  return known ? count : 0;
}

}  // namespace simba::kernels
