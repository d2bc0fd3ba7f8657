// Gradients of add_norm.h, D up to 8192. One block per run of source rows; of a row each thread
// holds up to kPackets packets, 16 bytes of R (of a narrower T: 8), neighbouring threads
// neighbouring ones, read once. A thread keeps its channels' shares of dweight and dbias in
// registers over the run. Where several output rows were picked from one, their gradients are added
// in float. Sums are per thread, then over lanes, then over warps, always in the same order.
#include "kernels/add_norm_backward/norm_backward_paths.h"
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {
namespace {

constexpr std::int64_t kMaxChannels = 8192;
constexpr int kMaxThreads = 512;
constexpr int kMaxWarps = kMaxThreads / kWarpSize;

struct RowSums {
  float squares, products, total;
};

// Every thread receives the three sums. `warps` must not be in use by a call before.
__device__ inline RowSums block_sums(RowSums value, RowSums (&warps)[kMaxWarps]) {
  value = {warp_sum(value.squares), warp_sum(value.products), warp_sum(value.total)};
  if (threadIdx.x % kWarpSize == 0) warps[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  RowSums sums{0, 0, 0};
  for (int i = 0; i < static_cast<int>(blockDim.x) / kWarpSize; ++i) {
    sums.squares += warps[i].squares;
    sums.products += warps[i].products;
    sums.total += warps[i].total;
  }
  return sums;
}

template <typename T, typename R, int kPackets, bool kLayerNorm>
__global__ void __launch_bounds__(kMaxThreads)
    norm_backward_fast_kernel(AddNormBackwardParams<T, R> params, std::int64_t run) {
  constexpr int kCount = kWideElements<R>;
  // Two of each, in turn by rows: a warp may write the next row's while another reads this one's.
  __shared__ RowSums means[2][kMaxWarps], sums_of_warps[2][kMaxWarps];
  const PickedRows& picked = params.picked;
  const std::int64_t sources = params.batch * picked.sources;
  const auto channels = static_cast<int>(params.channels);
  const auto channel = [](int j) {
    return static_cast<int>(threadIdx.x + j * blockDim.x) * kCount;
  };
  float weight[kPackets][kCount], grad_weight[kPackets][kCount], grad_bias[kPackets][kCount];
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    Packet<float, kCount> packet = {};
    if (channel(j) < channels) packet = load_packet<kCount>(params.weight + channel(j));
    unpack(packet, weight[j]);
#pragma unroll
    for (int i = 0; i < kCount; ++i) grad_weight[j][i] = grad_bias[j][i] = 0;
  }

  int turn = 0;
  const std::int64_t stop = min((blockIdx.x + 1) * run, sources);
  for (std::int64_t flat = blockIdx.x * run; flat < stop; ++flat) {
    const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
    float source[kPackets][kCount];
#pragma unroll
    for (int j = 0; j < kPackets; ++j) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) source[j][i] = 0;
    }
    for (std::int64_t r = picked.first(b, l); r < picked.rows; r = picked.next(b, r), turn ^= 1) {
      const R* s_row = params.new_residual.row(b, r);
      const T* grad_row = params.grad_normed.row(b, r);
      const R* more_row = params.grad_new_residual ? params.grad_new_residual.row(b, r) : nullptr;
      Packet<R, kCount> s_packet[kPackets], more_packet[kPackets];
      Packet<T, kCount> grad_packet[kPackets];
#pragma unroll
      for (int j = 0; j < kPackets; ++j) {
        s_packet[j] = {};
        more_packet[j] = {};
        grad_packet[j] = {};
        if (channel(j) < channels) {
          s_packet[j] = load_packet<kCount>(s_row + channel(j));
          grad_packet[j] = load_packet<kCount>(grad_row + channel(j));
          if (more_row) more_packet[j] = load_packet<kCount>(more_row + channel(j));
        }
      }

      float mean = 0;
      if constexpr (kLayerNorm) {
        RowSums sum{0, 0, 0};
#pragma unroll
        for (int j = 0; j < kPackets; ++j) {
          float s[kCount];
          unpack(s_packet[j], s);
#pragma unroll
          for (int i = 0; i < kCount; ++i) sum.total += s[i];
        }
        mean = block_sums(sum, means[turn]).total / channels;
      }
      RowSums sum{0, 0, 0};
#pragma unroll
      for (int j = 0; j < kPackets; ++j) {
        if (channel(j) >= channels) continue;
        float s[kCount], grad[kCount];
        unpack(s_packet[j], s);
        unpack(grad_packet[j], grad);
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          const float centred = s[i] - mean, f = grad[i] * weight[j][i];
          sum.squares += centred * centred;
          sum.products += f * centred;
          sum.total += f;
        }
      }
      sum = block_sums(sum, sums_of_warps[turn]);
      const float scale = 1 / sqrtf(sum.squares / channels + static_cast<float>(params.eps));
      const float along = sum.products / channels * scale;
      const float offset = kLayerNorm ? sum.total / channels : 0;

#pragma unroll
      for (int j = 0; j < kPackets; ++j) {
        float s[kCount], grad[kCount], more[kCount], ds[kCount];
        unpack(s_packet[j], s);
        unpack(grad_packet[j], grad);
        unpack(more_packet[j], more);
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          const float e = (s[i] - mean) * scale;
          ds[i] = (grad[i] * weight[j][i] - e * along - offset) * scale + more[i];
          source[j][i] += ds[i];
          grad_weight[j][i] += grad[i] * e;
          if constexpr (kLayerNorm) grad_bias[j][i] += grad[i];
        }
        if (params.grad_residual && channel(j) < channels) {
          store_packet(pack<T>(ds), params.grad_x.row(b, r) + channel(j));
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kPackets; ++j) {
      if (channel(j) >= channels) continue;
      if (params.grad_residual) {
        store_packet(pack<R>(source[j]), params.grad_residual.row(b, l) + channel(j));
      } else {
        store_packet(pack<T>(source[j]), params.grad_x.row(b, l) + channel(j));
      }
    }
  }

  float* shares = params.scratch + blockIdx.x * 2 * params.channels;
#pragma unroll
  for (int j = 0; j < kPackets; ++j) {
    if (channel(j) >= channels) continue;
    store_packet(pack<float>(grad_weight[j]), shares + channel(j));
    if constexpr (kLayerNorm) {
      store_packet(pack<float>(grad_bias[j]), shares + params.channels + channel(j));
    }
  }
}

template <int kPackets, typename T, typename R>
cudaError_t launch(const AddNormBackwardParams<T, R>& params, std::int64_t run, std::int64_t runs,
                   cudaStream_t stream) {
  const std::int64_t packets = params.channels / kWideElements<R>;
  const auto threads =
      static_cast<unsigned>(ceil_div(ceil_div(packets, kPackets), kWarpSize) * kWarpSize);
  const auto blocks = static_cast<unsigned>(runs);
  if (params.grad_bias) {
    norm_backward_fast_kernel<T, R, kPackets, true><<<blocks, threads, 0, stream>>>(params, run);
  } else {
    norm_backward_fast_kernel<T, R, kPackets, false><<<blocks, threads, 0, stream>>>(params, run);
  }
  return cudaGetLastError();
}

}  // namespace

template <typename T, typename R>
bool fast_path_takes(const AddNormBackwardParams<T, R>& params) {
  constexpr int kCount = kWideElements<R>;
  return params.channels % kCount == 0 && params.channels <= kMaxChannels &&
         takes_packets(params.new_residual, kCount) && takes_packets(params.grad_normed, kCount) &&
         takes_packets(params.grad_new_residual, kCount) && takes_packets(params.grad_x, kCount) &&
         takes_packets(params.grad_residual, kCount) && takes_packets(params.weight, kCount) &&
         takes_packets(params.scratch, kCount);
}

template <typename T, typename R>
cudaError_t norm_backward_fast(const AddNormBackwardParams<T, R>& params, std::int64_t run,
                               std::int64_t runs, cudaStream_t stream) {
  constexpr int kCount = kWideElements<R>;
  if (params.channels <= 512 * kCount / 4) return launch<1>(params, run, runs, stream);
  if (params.channels <= 1024 * kCount / 4) return launch<2>(params, run, runs, stream);
  return launch<16 / kCount>(params, run, runs, stream);
}

#define SIMBA_INSTANTIATE(T, R)                                                             \
  template bool fast_path_takes(const AddNormBackwardParams<T, R>&);                        \
  template cudaError_t norm_backward_fast(const AddNormBackwardParams<T, R>&, std::int64_t, \
                                          std::int64_t, cudaStream_t);
SIMBA_INSTANTIATE(float, float)
SIMBA_INSTANTIATE(BFloat16, BFloat16)
SIMBA_INSTANTIATE(BFloat16, float)
SIMBA_INSTANTIATE(Float16, Float16)
SIMBA_INSTANTIATE(Float16, float)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
