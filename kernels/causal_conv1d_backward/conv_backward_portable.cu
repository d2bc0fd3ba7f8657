// Gradients of causal_conv1d.h, any K and D, one thread per element: of grad_x, of the initial
// state's gradient's channels, and per sequence of the parameters' gradients. Each computes the
// outputs' gradients it needs anew. Neighbouring threads take neighbouring channels, so loads
// coalesce.
#include "kernels/causal_conv1d_backward/conv_backward_paths.h"
#include "kernels/causal_conv1d_backward/conv_gradients.cuh"
#include "kernels/cuda/launch.h"

namespace simba::kernels {
namespace {

constexpr int kThreads = 128;

template <typename T>
__global__ void __launch_bounds__(kThreads) inputs_kernel(CausalConv1dBackwardParams<T> params) {
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= params.batch * params.sequences.length * params.channels) return;
  const std::int64_t channel = item % params.channels, token = item / params.channels;
  const std::int64_t batch = token / params.sequences.length;
  const std::int64_t position = token % params.sequences.length;
  const ConvChannel<T> line(params, sequence_of(params.sequences, batch, position), channel);
  params.grad_x.row(batch, position)[channel] = round_to<T>(line.input_gradient(position));
}

template <typename T>
__global__ void __launch_bounds__(kThreads) states_kernel(CausalConv1dBackwardParams<T> params) {
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= params.sequences.count * params.channels) return;
  ConvChannel<T>(params, item / params.channels, item % params.channels)
      .write_initial_state_gradient();
}

// Tap K stands for the bias.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    parameters_kernel(CausalConv1dBackwardParams<T> params) {
  const std::int64_t D = params.channels, K = params.width;
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= params.sequences.count * (K + 1) * D) return;
  const std::int64_t channel = item % D, k = item / D % (K + 1), s = item / D / (K + 1);
  const ConvChannel<T> line(params, s, channel);
  AccumulateType<T> sum = 0;
  for (std::int64_t t = line.begin; t < line.end; ++t) {
    const AccumulateType<T> grad = line.output_gradient(t);
    sum += k < K ? grad * line.input(t - (K - 1) + k) : grad;
  }
  params.scratch[s * D * (K + 1) + (k < K ? channel * K + k : D * K + channel)] = sum;
}

unsigned blocks_of(std::int64_t items) { return static_cast<unsigned>(ceil_div(items, kThreads)); }

}  // namespace

template <typename T>
std::int64_t conv_backward_shares_portable(const CausalConv1dBackwardParams<T>& params) {
  return params.sequences.count;
}

template <typename T>
cudaError_t conv_backward_portable(const CausalConv1dBackwardParams<T>& params,
                                   cudaStream_t stream) {
  const std::int64_t D = params.channels, S = params.sequences.count;
  const std::int64_t elements = params.batch * params.sequences.length * D;
  if (elements > 0) inputs_kernel<T><<<blocks_of(elements), kThreads, 0, stream>>>(params);
  if (S == 0) return cudaGetLastError();
  if (params.grad_initial_state) {
    states_kernel<T><<<blocks_of(S * D), kThreads, 0, stream>>>(params);
  }
  parameters_kernel<T><<<blocks_of(S * D * (params.width + 1)), kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T)                                                                 \
  template std::int64_t conv_backward_shares_portable(const CausalConv1dBackwardParams<T>&); \
  template cudaError_t conv_backward_portable(const CausalConv1dBackwardParams<T>&, cudaStream_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
