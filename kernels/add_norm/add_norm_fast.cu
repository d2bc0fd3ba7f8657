// s = x + residual, out as the new residual and normalised: RMSNorm, or LayerNorm where a bias is
// given. One block per output row, which it reads once and keeps in registers: each thread holds
// up to kPackets packets, neighbouring threads neighbouring ones. A packet is 16 bytes of R (of a
// narrower T: 8). s leaves before the sums are taken; those are per thread, then over lanes, then
// over warps, always in the same order. The variance is that of s - mean.
#include "kernels/add_norm/add_norm_paths.h"
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {
namespace {

constexpr std::int64_t kMaxChannels = 8192;
constexpr int kMaxThreads = 512;
constexpr int kMaxWarps = kMaxThreads / kWarpSize;
constexpr int kThreadElements = 16;  // of a row, at most: what leaves room for several blocks
// A thread gets no more packets than it takes for a row to need no more threads than this.
constexpr int kFewThreads = 128;

// Every thread receives the sum. A kernel calls it once for each warp_sums.
__device__ inline float block_sum(float value, float (&warp_sums)[kMaxWarps]) {
  value = warp_sum(value);
  if (threadIdx.x % kWarpSize == 0) warp_sums[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  const int warps = static_cast<int>(blockDim.x) / kWarpSize;
  float sum = 0;
  for (int i = 0; i < warps; ++i) sum += warp_sums[i];
  return sum;
}

template <typename T, typename R, int kPackets>
__global__ void __launch_bounds__(kMaxThreads) add_norm_fast_kernel(AddNormParams<T, R> params) {
  constexpr int kCount = kWideElements<R>;
  __shared__ float sums[kMaxWarps], squares_of_warps[kMaxWarps];
  const unsigned flat = blockIdx.x;
  const auto rows = static_cast<unsigned>(params.rows);
  const unsigned batch = params.batch == 1 ? 0 : flat / rows;
  const unsigned row = flat - batch * rows;
  const std::int64_t source = params.indices ? params.indices[flat] : row;
  const T* x = params.x.row(batch, params.residual ? row : source);
  const R* residual = params.residual ? params.residual.row(batch, source) : nullptr;

  const auto channels = static_cast<int>(params.channels);
  const auto channel = [](int j) {
    return static_cast<int>(threadIdx.x + j * blockDim.x) * kCount;
  };
  Packet<T, kCount> added[kPackets];
  Packet<R, kCount> old[kPackets];
  Packet<float, kCount> weight[kPackets];
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    added[j] = {};
    old[j] = {};
    weight[j] = {};
    if (channel(j) < channels) {
      added[j] = load_packet<kCount>(x + channel(j));
      if (residual) old[j] = load_packet<kCount>(residual + channel(j));
      weight[j] = load_packet<kCount>(params.weight + channel(j));
    }
  }

  float s[kPackets][kCount];
  R* new_residual = params.new_residual.row(batch, row);
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    float old_values[kCount];
    unpack(added[j], s[j]);
    unpack(old[j], old_values);
#pragma unroll
    for (int i = 0; i < kCount; ++i) s[j][i] = residual ? s[j][i] + old_values[i] : s[j][i];
    if (channel(j) < channels) store_packet(pack<R>(s[j]), new_residual + channel(j));
  }

  float mean = 0;
  if (params.bias) {
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kPackets; ++j) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) sum += s[j][i];
    }
    mean = block_sum(sum, sums) / static_cast<float>(channels);
  }
  float squares = 0;
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    if (channel(j) >= channels) continue;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      s[j][i] -= mean;
      squares += s[j][i] * s[j][i];
    }
  }
  const float mean_square = block_sum(squares, squares_of_warps) / static_cast<float>(channels);
  const float scale = 1 / sqrt(mean_square + static_cast<float>(params.eps));

  T* normed = params.normed.row(batch, row);
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    if (channel(j) >= channels) continue;
    float weights[kCount];
    unpack(weight[j], weights);
#pragma unroll
    for (int i = 0; i < kCount; ++i) s[j][i] = s[j][i] * scale * weights[i];
    if (params.bias) {
      float biases[kCount];
      unpack(load_packet<kCount>(params.bias + channel(j)), biases);
#pragma unroll
      for (int i = 0; i < kCount; ++i) s[j][i] += biases[i];
    }
    store_packet(pack<T>(s[j]), normed + channel(j));
  }
}

template <int kPackets, typename T, typename R>
void launch(const AddNormParams<T, R>& params, cudaStream_t stream) {
  const auto packets = static_cast<int>(params.channels) / kWideElements<R>;
  const int threads =
      static_cast<int>(ceil_div(ceil_div(packets, kPackets), kWarpSize)) * kWarpSize;
  const auto blocks = static_cast<unsigned>(params.batch * params.rows);
  add_norm_fast_kernel<T, R, kPackets><<<blocks, threads, 0, stream>>>(params);
}

}  // namespace

template <typename T, typename R>
bool fast_path_takes(const AddNormParams<T, R>& params) {
  constexpr int kCount = kWideElements<R>;
  return params.channels <= kMaxChannels && params.channels % kCount == 0 &&
         fits_grid(params.batch, params.rows) && takes_packets(params.x, kCount) &&
         takes_packets(params.residual, kCount) && takes_packets(params.weight, kCount) &&
         takes_packets(params.bias, kCount) && takes_packets(params.normed, kCount) &&
         takes_packets(params.new_residual, kCount);
}

template <typename T, typename R>
cudaError_t add_norm_fast(const AddNormParams<T, R>& params, cudaStream_t stream) {
  constexpr int kMaxPackets = kThreadElements / kWideElements<R>;
  const std::int64_t packets = params.channels / kWideElements<R>;
  if (packets <= kFewThreads) {
    launch<1>(params, stream);
  } else if (packets <= 2 * kFewThreads) {
    launch<2>(params, stream);
  } else {
    launch<kMaxPackets>(params, stream);
  }
  return cudaGetLastError();
}

template bool fast_path_takes(const AddNormParams<float, float>&);
template bool fast_path_takes(const AddNormParams<BFloat16, BFloat16>&);
template bool fast_path_takes(const AddNormParams<BFloat16, float>&);
template bool fast_path_takes(const AddNormParams<Float16, Float16>&);
template bool fast_path_takes(const AddNormParams<Float16, float>&);
template cudaError_t add_norm_fast(const AddNormParams<float, float>&, cudaStream_t);
template cudaError_t add_norm_fast(const AddNormParams<BFloat16, BFloat16>&, cudaStream_t);
template cudaError_t add_norm_fast(const AddNormParams<BFloat16, float>&, cudaStream_t);
template cudaError_t add_norm_fast(const AddNormParams<Float16, Float16>&, cudaStream_t);
template cudaError_t add_norm_fast(const AddNormParams<Float16, float>&, cudaStream_t);

}  // namespace simba::kernels
