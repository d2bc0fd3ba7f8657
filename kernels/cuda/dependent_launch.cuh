// Programmatic dependent launch (sm_90): a kernel may begin while the one before it on the stream
// is still running, fetch what no kernel writes (weights), and wait before it touches anything
// else.
#pragma once

namespace simba::kernels {

// Lets the next kernel begin, once every block of this one has come here or ended.
__device__ inline void let_next_kernel_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Returns when the kernel before has ended and its writes are visible. Every thread that reads or
// writes memory which any earlier kernel touched must call it first.
__device__ inline void wait_for_kernel_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Asks for the line at `from` to be brought as far as L2, where it stays coherent: before the wait
// too, and of what earlier kernels may write.
__device__ inline void fetch_to_l2(const void* from) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(from)));
}

}  // namespace simba::kernels
