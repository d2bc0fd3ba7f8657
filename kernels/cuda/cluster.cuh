// Thread block clusters (sm_90): blocks that run at the same time, wait for one another and read
// one another's shared memory. Code compiled for less holds none of it and must not be launched as
// a cluster.
#pragma once

namespace simba::kernels {

// The block's number in its cluster.
__device__ inline unsigned cluster_rank() {
  unsigned rank = 0;
#if __CUDA_ARCH__ >= 900
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return rank;
}

// All threads of the cluster arrive; what each wrote before is visible to those that have waited.
__device__ inline void cluster_arrive() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif
}
__device__ inline void cluster_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}

// What block `rank` has where this block has `here`, in shared memory.
__device__ inline int load_of_block(const int& here, unsigned rank) {
  int value = here;
#if __CUDA_ARCH__ >= 900
  const auto local = static_cast<unsigned>(__cvta_generic_to_shared(&here));
  asm volatile(
      "{\n"
      ".reg .b32 address;\n"
      "mapa.shared::cluster.u32 address, %1, %2;\n"
      "ld.shared::cluster.s32 %0, [address];\n"
      "}"
      : "=r"(value)
      : "r"(local), "r"(rank)
      : "memory");
#endif
  return value;
}

}  // namespace simba::kernels
