#include "kernels/selective_scan/selective_scan_fast.cuh"

namespace simba::kernels {

template bool fast_path_takes(const SelectiveScanParams<BFloat16>&);
template cudaError_t selective_scan_fast(const SelectiveScanParams<BFloat16>&, cudaStream_t);

}  // namespace simba::kernels
