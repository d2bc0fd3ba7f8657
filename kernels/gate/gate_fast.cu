// out[b, r] = y[b, i] * silu(z[b, i]), i = indices[b, r] or r. One block per output row, 16 bytes
// at a time: neighbouring threads take neighbouring packets, each thread up to 4 with all their
// loads under way together.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/gate/gate_paths.h"

namespace simba::kernels {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kPackets = 4;  // of a thread, under way together

template <typename T>
__global__ void __launch_bounds__(kMaxThreads) gate_fast_kernel(GateParams<T> params) {
  constexpr int kCount = kWideElements<T>;
  const unsigned flat = blockIdx.x;
  const auto rows = static_cast<unsigned>(params.rows);
  const unsigned batch = params.batch == 1 ? 0 : flat / rows;
  const unsigned row = flat - batch * rows;
  const std::int64_t source = params.indices ? params.indices[flat] : row;
  const T* y_row = params.y.row(batch, source);
  const T* z_row = params.z.row(batch, source);
  T* out_row = params.out.row(batch, row);

  const std::int64_t step = blockDim.x * kCount;
  for (std::int64_t first = threadIdx.x * kCount; first < params.channels;
       first += kPackets * step) {
    Packet<T, kCount> y[kPackets], z[kPackets];
#pragma unroll
    for (int j = 0; j < kPackets; ++j) {
      const std::int64_t channel = first + j * step;
      y[j] = {};
      z[j] = {};
      if (channel < params.channels) {
        y[j] = load_packet<kCount>(y_row + channel);
        z[j] = load_packet<kCount>(z_row + channel);
      }
    }
#pragma unroll
    for (int j = 0; j < kPackets; ++j) {
      const std::int64_t channel = first + j * step;
      float values[kCount], gates[kCount];
      unpack(y[j], values);
      unpack(z[j], gates);
#pragma unroll
      for (int i = 0; i < kCount; ++i) values[i] *= fast_silu<T>(gates[i]);
      if (channel < params.channels) store_packet(pack<T>(values), out_row + channel);
    }
  }
}

}  // namespace

template <typename T>
bool fast_path_takes(const GateParams<T>& params) {
  constexpr int kCount = kWideElements<T>;
  return params.channels % kCount == 0 && fits_grid(params.batch, params.rows) &&
         takes_packets(params.y, kCount) && takes_packets(params.z, kCount) &&
         takes_packets(params.out, kCount);
}

template <typename T>
cudaError_t gate_fast(const GateParams<T>& params, cudaStream_t stream) {
  const std::int64_t packets = params.channels / kWideElements<T>;
  const std::int64_t warps = ceil_div(ceil_div(packets, kPackets), kWarpSize);
  constexpr std::int64_t kMaxWarps = kMaxThreads / kWarpSize;
  const auto threads = static_cast<int>((warps < kMaxWarps ? warps : kMaxWarps) * kWarpSize);
  const auto blocks = static_cast<unsigned>(params.batch * params.rows);
  gate_fast_kernel<<<blocks, threads, 0, stream>>>(params);
  return cudaGetLastError();
}

template bool fast_path_takes(const GateParams<float>&);
template bool fast_path_takes(const GateParams<BFloat16>&);
template bool fast_path_takes(const GateParams<Float16>&);
template cudaError_t gate_fast(const GateParams<float>&, cudaStream_t);
template cudaError_t gate_fast(const GateParams<BFloat16>&, cudaStream_t);
template cudaError_t gate_fast(const GateParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
