// Gradients of gate.h, one block per source row, rows beyond the grid's limit taken in turn;
// neighbouring threads take neighbouring channels: one each in the portable kernel, which takes
// everything, 16 bytes of them in the fast one, up to 2 packets of a thread under way together. A
// row that was not picked gets zeros, and nothing of it is read.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/path.h"
#include "kernels/cuda/slopes.cuh"
#include "kernels/gate_backward/gate_backward_cuda.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kPackets = 2;

template <typename T>
__global__ void __launch_bounds__(kThreads) gate_backward_portable(GateBackwardParams<T> params) {
  using Acc = AccumulateType<T>;
  const PickedRows& picked = params.picked;
  const std::int64_t sources = params.batch * picked.sources;
  for (std::int64_t flat = blockIdx.x; flat < sources; flat += gridDim.x) {
    const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
    const std::int64_t first = picked.first(b, l);
    for (std::int64_t d = threadIdx.x; d < params.channels; d += kThreads) {
      Acc grad_y = 0, grad_z = 0;
      if (first < picked.rows) {
        Acc grad = 0;
        for (std::int64_t r = first; r < picked.rows; r = picked.next(b, r)) {
          grad += to_accumulate(params.grad_out.row(b, r)[d]);
        }
        const Acc z = to_accumulate(params.z.row(b, l)[d]);
        grad_y = grad * silu(z);
        grad_z = grad * to_accumulate(params.y.row(b, l)[d]) * silu_slope(z);
      }
      params.grad_y.row(b, l)[d] = round_to<T>(grad_y);
      params.grad_z.row(b, l)[d] = round_to<T>(grad_z);
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads) gate_backward_fast(GateBackwardParams<T> params) {
  constexpr int kCount = kWideElements<T>;
  const PickedRows& picked = params.picked;
  const std::int64_t sources = params.batch * picked.sources;
  const std::int64_t step = blockDim.x * kCount;
  for (std::int64_t flat = blockIdx.x; flat < sources; flat += gridDim.x) {
    const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
    const std::int64_t head = picked.first(b, l);
    T* to_y = params.grad_y.row(b, l);
    T* to_z = params.grad_z.row(b, l);
    for (std::int64_t first = threadIdx.x * kCount; first < params.channels;
         first += kPackets * step) {
      Packet<T, kCount> y[kPackets], z[kPackets], grad[kPackets];
#pragma unroll
      for (int j = 0; j < kPackets; ++j) {
        const std::int64_t channel = first + j * step;
        y[j] = {};
        z[j] = {};
        grad[j] = {};
        if (channel < params.channels && head < picked.rows) {
          y[j] = load_packet<kCount>(params.y.row(b, l) + channel);
          z[j] = load_packet<kCount>(params.z.row(b, l) + channel);
          grad[j] = load_packet<kCount>(params.grad_out.row(b, head) + channel);
        }
      }
#pragma unroll
      for (int j = 0; j < kPackets; ++j) {
        const std::int64_t channel = first + j * step;
        if (channel >= params.channels) break;
        float values[kCount], gates[kCount], grads[kCount];
        unpack(y[j], values);
        unpack(z[j], gates);
        unpack(grad[j], grads);
        if (head < picked.rows) {
          for (std::int64_t r = picked.next(b, head); r < picked.rows; r = picked.next(b, r)) {
            float more[kCount];
            unpack(load_packet<kCount>(params.grad_out.row(b, r) + channel), more);
#pragma unroll
            for (int i = 0; i < kCount; ++i) grads[i] += more[i];
          }
        }
        float grad_y[kCount], grad_z[kCount];
#pragma unroll
        for (int i = 0; i < kCount; ++i) {
          const float s = sizeof(T) == sizeof(float) ? sigmoid(gates[i]) : fast_sigmoid(gates[i]);
          grad_y[i] = grads[i] * gates[i] * s;
          grad_z[i] = grads[i] * values[i] * silu_slope_from(gates[i], s);
        }
        store_packet(pack<T>(grad_y), to_y + channel);
        store_packet(pack<T>(grad_z), to_z + channel);
      }
    }
  }
}

template <typename T>
bool fast_path_takes(const GateBackwardParams<T>& params) {
  constexpr int kCount = kWideElements<T>;
  return params.channels % kCount == 0 && takes_packets(params.y, kCount) &&
         takes_packets(params.z, kCount) && takes_packets(params.grad_out, kCount) &&
         takes_packets(params.grad_y, kCount) && takes_packets(params.grad_z, kCount);
}

}  // namespace

template <typename T>
cudaError_t gate_backward_cuda(const GateBackwardParams<T>& params, cudaStream_t stream) {
  if (params.batch < 0 || params.channels < 0 || params.picked.sources < 0 ||
      params.picked.rows < 0) {
    return cudaErrorInvalidValue;
  }
  const std::int64_t sources = params.batch * params.picked.sources;
  if (sources == 0 || params.channels == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      const std::int64_t packets = params.channels / kWideElements<T>;
      const std::int64_t threads = ceil_div(ceil_div(packets, kPackets), 32) * 32;
      gate_backward_fast<T>
          <<<grid_blocks(sources), static_cast<unsigned>(threads < kThreads ? threads : kThreads),
             0, stream>>>(params);
      return cudaGetLastError();
    }
  }
  gate_backward_portable<T><<<grid_blocks(sources), kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

template cudaError_t gate_backward_cuda(const GateBackwardParams<float>&, cudaStream_t);
template cudaError_t gate_backward_cuda(const GateBackwardParams<double>&, cudaStream_t);
template cudaError_t gate_backward_cuda(const GateBackwardParams<BFloat16>&, cudaStream_t);
template cudaError_t gate_backward_cuda(const GateBackwardParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
