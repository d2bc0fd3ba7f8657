#include "kernels/selective_scan/selective_scan_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/selective_scan/selective_scan_paths.h"

namespace simba::kernels {
namespace {

// Of a grid, in either kernel. The fast one's blocks have 8 channels or more.
constexpr std::int64_t kFewestChannels = 8;

}  // namespace

template <typename T>
cudaError_t selective_scan_cuda(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  if (params.sequences.count < 0 || params.sequences.length < 0 || params.channels < 0 ||
      params.states < 0 ||
      !fits_grid(params.sequences.count, ceil_div(params.channels, kFewestChannels))) {
    return cudaErrorInvalidValue;
  }
  if (params.sequences.count == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      return selective_scan_fast(params, stream);
    }
  }
  return selective_scan_portable(params, stream);
}

template cudaError_t selective_scan_cuda(const SelectiveScanParams<float>&, cudaStream_t);
template cudaError_t selective_scan_cuda(const SelectiveScanParams<double>&, cudaStream_t);
template cudaError_t selective_scan_cuda(const SelectiveScanParams<BFloat16>&, cudaStream_t);
template cudaError_t selective_scan_cuda(const SelectiveScanParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
