// Copies from global to shared memory that go on while the thread computes (cp.async, sm_80). Code
// compiled for less holds none of it and must not be launched: code_capability (device.h) tells.
#pragma once

namespace simba::kernels {

// 16 bytes, both addresses aligned to them; zeros, reading nothing, where `exists` is false.
__device__ inline void async_copy_16(void* to_shared, const void* from, bool exists) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  const int bytes = exists ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
#endif
}

// The same of 8 bytes.
__device__ inline void async_copy_8(void* to_shared, const void* from, bool exists) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  const int bytes = exists ? 8 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
#endif
}

// 4 bytes, both addresses aligned to them, of which the first `bytes` are read and the others
// zeros.
__device__ inline void async_copy_4(void* to_shared, const void* from, int bytes) {
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(bytes)
               : "memory");
#endif
}

// Closes the group of this thread's copies since the group before.
__device__ inline void close_async_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the newest kNewest groups are under way.
template <int kNewest>
__device__ inline void wait_for_async_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kNewest) : "memory");
#endif
}

}  // namespace simba::kernels
