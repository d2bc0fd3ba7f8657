// A block to a multiprocessor: it normalises all rows for itself, takes a stretch of in_proj's rows
// (row_stream.cuh), and at last the convolution of those that are x. Everything that it reads of
// earlier kernels, and what the convolution needs, is asked for at once.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/device.h"
#include "kernels/cuda/step_launch.h"
#include "kernels/gemv/gemv.h"
#include "kernels/gemv/row_stream.cuh"
#include "kernels/in_proj_step/conv_step.cuh"
#include "kernels/in_proj_step/held_norm.cuh"
#include "kernels/in_proj_step/in_proj_step_paths.h"

namespace simba::kernels {
namespace {

// What the threads of a block finish in turn: its rows of in_proj, sequence by sequence.
struct BlockItems {
  int rows, count;  // sequences, rows of in_proj

  __device__ int size() const { return rows * count; }
  __device__ int sequence(int item) const { return item / count; }
  __device__ int row(int item) const { return item % count; }
};

template <int kRows>
constexpr int kThreads = kStreamWarps<kRows>* kWarpSize;

template <typename T, int kRows>
__global__ void __launch_bounds__(kThreads<kRows>, 1)
    in_proj_step_fast_kernel(const __grid_constant__ InProjStepParams<T> params, RowSplit split) {
  // Of a thread, with their convolution loaded ahead: enough for a published model.
  constexpr int kHeldItems = (kRows + 1) / 2;
  extern __shared__ uint4 shared[];  // the rows of in_proj's input, and the sums
  let_next_kernel_begin();
  const auto d_model = static_cast<int>(params.d_model), thread = static_cast<int>(threadIdx.x);
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * split.block_rows;
  const BlockItems items{
      static_cast<int>(params.rows),
      static_cast<int>(min(std::int64_t{split.block_rows}, 2 * params.channels - begin))};
  RowStream<T, kRows> stream(params.in_proj + begin * d_model, d_model, items.count, split);
  stream.fetch();
  HeldNorm<T, kStreamWarps<kRows>, kRows> norm(params);
  wait_for_kernel_before();

  norm.load();
  const auto load_conv = [&](int item, ConvStep<T>& conv) {
    const std::int64_t row = begin + items.row(item);
    if (item < items.size() && row < params.channels) {
      conv.load(params, items.sequence(item), row);
    }
  };
  ConvStep<T> held[kHeldItems];
  const auto load_held = [&] {
#pragma unroll
    for (int i = 0; i < kHeldItems; ++i) load_conv(thread + i * kThreads<kRows>, held[i]);
  };
  constexpr bool kEarly = kRows <= 2;  // with more there are not registers enough beside the norm's
  if (kEarly) load_held();
  T* normed = reinterpret_cast<T*>(shared);
  norm.write(normed);
  if (!kEarly) load_held();
  stream.take(normed, d_model, items.rows);
  float* sums = reinterpret_cast<float*>(normed + items.rows * d_model);
  stream.multiply(sums);
  __syncthreads();

  const auto finish = [&](int item, const ConvStep<T>& conv) {
    if (item >= items.size()) return;
    const int s = items.sequence(item);
    const std::int64_t row = begin + items.row(item);
    const T value = round_to<T>(stream_sum<kRows>(sums, split.segments, items.row(item), s));
    if (row < params.channels) {
      params.u[s * params.channels + row] = conv.finish(params, s, row, value);
    } else {
      params.z[s * params.channels + row - params.channels] = value;
    }
  };
#pragma unroll
  for (int i = 0; i < kHeldItems; ++i) finish(thread + i * kThreads<kRows>, held[i]);
  for (int item = thread + kHeldItems * kThreads<kRows>; item < items.size();
       item += kThreads<kRows>) {
    ConvStep<T> conv;
    load_conv(item, conv);
    finish(item, conv);
  }
}

template <typename T, int kRows>
cudaError_t launch(const InProjStepParams<T>& params, cudaStream_t stream) {
  const int processors = multiprocessor_count();
  if (processors == 0) return cudaErrorNoDevice;
  const RowSplit split = split_rows<T, kRows>(params.d_model, 2 * params.channels, processors);
  const std::size_t normed_bytes = params.rows * params.d_model * sizeof(T);
  return launch_step(in_proj_step_fast_kernel<T, kRows>, dim3(split.blocks), kThreads<kRows>,
                     normed_bytes + split.sum_bytes<kRows>(), stream, params, split);
}

}  // namespace

template <typename T>
bool fast_path_takes(const InProjStepParams<T>& params) {
  using Norm = HeldNorm<T, kStreamWarps<1>, 1>;
  constexpr int kPacket = Norm::kPacket;
  return params.width == kConvStepWidth && params.d_model % kPacket == 0 &&
         params.d_model <= Norm::kLongest && params.d_model <= kStreamLongest<T> &&
         takes_packets(params.in_proj, kPacket) && takes_packets(params.hidden, kPacket) &&
         takes_packets(params.residual, kPacket) && takes_packets(params.norm_weight, kPacket) &&
         takes_packets(params.new_residual, kPacket) &&
         takes_packets(params.conv_weight, kConvStepWidth) &&
         kInProjStepBytes + kStreamSumBytes <= shared_memory_per_block();
}

template <typename T>
cudaError_t in_proj_step_fast(const InProjStepParams<T>& params, cudaStream_t stream) {
  if (params.rows == 1) return launch<T, 1>(params, stream);
  if (params.rows == 2) return launch<T, 2>(params, stream);
  return launch<T, kFewRows>(params, stream);
}

template bool fast_path_takes(const InProjStepParams<float>&);
template bool fast_path_takes(const InProjStepParams<BFloat16>&);
template bool fast_path_takes(const InProjStepParams<Float16>&);
template cudaError_t in_proj_step_fast(const InProjStepParams<float>&, cudaStream_t);
template cudaError_t in_proj_step_fast(const InProjStepParams<BFloat16>&, cudaStream_t);
template cudaError_t in_proj_step_fast(const InProjStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
