#include "csrc/ops/cuda_launch.h"

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/headeronly/util/shim_utils.h>

#include <string>

#include "kernels/cuda/architectures.h"

// Defined by libtorch_cuda.so only. Weak, so that this library also loads where torch has no CUDA.
#pragma weak aoti_torch_get_current_cuda_stream

namespace simba::ops {

cudaStream_t current_stream(std::int32_t device) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device, &stream));
  return static_cast<cudaStream_t>(stream);
}

void check_cuda(const Checks& check, cudaError_t error, std::int32_t device) {
  if (error == cudaSuccess) return;
  if (error == cudaErrorNoKernelImageForDevice) {
    int major = 0, minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    check.fail("cuda:" + std::to_string(device) + " has architecture sm_" + std::to_string(major) +
               std::to_string(minor) + ", libsimba_ops.so was built for " +
               kernels::compiled_architectures() + "; rebuild it with -DCMAKE_CUDA_ARCHITECTURES=" +
               std::to_string(major) + std::to_string(minor));
  }
  check.fail(std::string("CUDA error: ") + cudaGetErrorString(error));
}

}  // namespace simba::ops
