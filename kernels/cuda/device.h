// The current device, and the code that it runs.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace simba::kernels {

// 0 where there is no device.
inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  const bool known = cudaGetDevice(&device) == cudaSuccess &&
                     cudaDeviceGetAttribute(&value, attribute, device) == cudaSuccess;
  return known ? value : 0;
}

// 10 times the major compute capability plus the minor one; 0 where there is no device.
inline int device_capability() {
  return 10 * device_attribute(cudaDevAttrComputeCapabilityMajor) +
         device_attribute(cudaDevAttrComputeCapabilityMinor);
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

inline int multiprocessor_count() { return device_attribute(cudaDevAttrMultiProcessorCount); }

// Bytes, for kernels that ask for more than 48 KiB.
inline int shared_memory_per_block() {
  return device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

// A number that is 0 or more, asked once for every device: those of one machine may differ.
class PerDevice {
 public:
  template <typename Ask>
  int get(const Ask& ask) {
    int device = 0;
    if (cudaGetDevice(&device) != cudaSuccess || device >= kDevices) return ask();
    std::atomic<int>& known = one_more_[static_cast<std::size_t>(device)];
    if (const int found = known.load(std::memory_order_relaxed); found > 0) return found - 1;
    const int number = ask();
    known.store(number + 1, std::memory_order_relaxed);
    return number;
  }

 private:
  static constexpr int kDevices = 64;

  std::array<std::atomic<int>, kDevices> one_more_{};  // 0: not asked yet
};

}  // namespace simba::kernels
