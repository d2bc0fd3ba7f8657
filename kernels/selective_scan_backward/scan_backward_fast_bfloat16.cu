#include "kernels/selective_scan_backward/scan_backward_fast.cuh"

namespace simba::kernels {

template bool fast_path_takes(const SelectiveScanBackwardParams<BFloat16>&);
template std::int64_t scan_backward_scratch_fast(const SelectiveScanBackwardParams<BFloat16>&);
template cudaError_t scan_backward_fast(const SelectiveScanBackwardParams<BFloat16>&, cudaStream_t);

}  // namespace simba::kernels
