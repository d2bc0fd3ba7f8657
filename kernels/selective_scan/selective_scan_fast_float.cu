#include "kernels/selective_scan/selective_scan_fast.cuh"

namespace simba::kernels {

template bool fast_path_takes(const SelectiveScanParams<float>&);
template cudaError_t selective_scan_fast(const SelectiveScanParams<float>&, cudaStream_t);

}  // namespace simba::kernels
