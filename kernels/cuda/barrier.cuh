// Barriers in shared memory (mbarrier) on which some warps wait for what others have written.
#pragma once

#include <cstdint>

namespace simba::kernels {

// Completes a phase whenever as many arrivals as it was made for have come. What a thread wrote
// before its arrival is visible to every thread that has waited for that phase.
class Barrier {
 public:
  // By one thread, before all others know of it (then __syncthreads).
  __device__ void init(unsigned arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address()), "r"(arrivals)
                 : "memory");
  }

  __device__ void arrive() {
    asm volatile(
        "{ .reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0]; }" ::"r"(address())
        : "memory");
  }

  // One arrival for everything that the warp wrote.
  __device__ void arrive_warp() {
    __syncwarp();
    if (threadIdx.x % 32 == 0) arrive();
  }

  // Waits for phase number `phase` (from 0). Only its parity is compared: every phase before must
  // be complete already, and none after may be.
  __device__ void wait(unsigned phase) {
    asm volatile(
        "{\n"
        ".reg .pred complete;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
        "@!complete bra again;\n"
        "}" ::"r"(address()),
        "r"(phase & 1)
        : "memory");
  }

 private:
  __device__ unsigned address() {
    return static_cast<unsigned>(__cvta_generic_to_shared(&storage_));
  }

  std::uint64_t storage_;
};

}  // namespace simba::kernels
