// Every block normalises all rows for itself, which costs less than a kernel for it, and then takes
// a stretch of in_proj's rows, a row per warp at a time. Block 0 writes the new residual.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/block.cuh"
#include "kernels/cuda/dependent_launch.cuh"
#include "kernels/cuda/dependent_launch.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/gemv/gemv.h"
#include "kernels/gemv/row_product.cuh"
#include "kernels/in_proj_step/in_proj_step_paths.h"
#include "kernels/in_proj_step/norm_scale.cuh"

namespace simba::kernels {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;

// The rows of in_proj's input, r = hidden + residual normalised, for any d_model.
template <typename T>
__device__ void normalise(const InProjStepParams<T>& params, T* normed) {
  const auto residual_sum = [&](std::int64_t i) {
    const float hidden = to_accumulate(params.hidden[i]);
    return params.residual ? hidden + params.residual[i] : hidden;
  };
  for (std::int64_t s = 0; s < params.rows; ++s) {
    const std::int64_t begin = s * params.d_model;
    float squares = 0;
    for (std::int64_t i = threadIdx.x; i < params.d_model; i += kThreads) {
      const float r = residual_sum(begin + i);
      if (blockIdx.x == 0) params.new_residual[begin + i] = r;
      squares += r * r;
    }
    const float scale = norm_scale(block_sum<kWarps>(squares), params.d_model, params.eps);
    for (std::int64_t i = threadIdx.x; i < params.d_model; i += kThreads) {
      normed[begin + i] = round_to<T>(residual_sum(begin + i) * scale * params.norm_weight[i]);
    }
  }
  __syncthreads();
}

// The convolution of one channel, its state and weights loaded before its newest input is known:
// lane k has number k of them.
template <typename T, int kRows>
class ConvChannel {
 public:
  __device__ ConvChannel(const InProjStepParams<T>& params, std::int64_t row)
      : params_(params), channel_(row) {
    const int lane = threadIdx.x % kWarpSize;
    if (channel_ >= params.channels) return;
    bias_ = params.conv_bias ? params.conv_bias[channel_] : 0;
    if (lane < params.width) weight_ = params.conv_weight[channel_ * params.width + lane];
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      if (s < params.rows && lane < params.width - 1) older_[s] = state(s)[lane];
    }
  }

  // u of every sequence, lane s holding the newest input of sequence s; the state moves on.
  __device__ void finish(T newest) {
    const int lane = threadIdx.x % kWarpSize;
    const auto older = static_cast<int>(params_.width - 1);
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      if (s >= params_.rows) break;
      const float input = __shfl_sync(kAllLanes, to_accumulate(newest), s);
      const float before = to_accumulate(older_[s]);
      float sum = bias_;
      for (int k = 0; k < older; ++k) {
        sum += __shfl_sync(kAllLanes, weight_, k) * __shfl_sync(kAllLanes, before, k);
      }
      sum += __shfl_sync(kAllLanes, weight_, older) * input;
      const float next = __shfl_down_sync(kAllLanes, before, 1);
      if (lane < older) state(s)[lane] = round_to<T>(lane + 1 < older ? next : input);
      if (lane == 0) params_.u[s * params_.channels + channel_] = round_to<T>(silu(sum));
    }
  }

 private:
  __device__ T* state(int s) const {
    return params_.conv_state + (s * params_.channels + channel_) * (params_.width - 1);
  }

  const InProjStepParams<T>& params_;
  const std::int64_t channel_;
  float bias_ = 0, weight_ = 0;
  T older_[kRows] = {};
};

template <typename T, int kCount, int kRows>
__global__ void __launch_bounds__(kThreads)
    in_proj_step_kernel(const __grid_constant__ InProjStepParams<T> params,
                        std::int64_t block_rows) {
  extern __shared__ uint4 shared[];
  T* normed = reinterpret_cast<T*>(shared);
  let_next_kernel_begin();
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * block_rows;
  const std::int64_t end = min(begin + block_rows, 2 * params.channels);
  const auto rows = static_cast<int>(params.rows);
  const auto product_of = [&](std::int64_t row) {
    const bool exists = row < end;
    return RowProduct<T, kCount, kRows>(params.in_proj + (exists ? row : 0) * params.d_model,
                                        exists ? params.d_model : 0, lane, kWarpSize);
  };

  auto product = product_of(begin + warp);
  product.fetch();
  wait_for_kernel_before();
  normalise(params, normed);
  for (std::int64_t row = begin + warp; row < end; row += kWarps) {
    ConvChannel<T, kRows> conv(params, row);
    float sums[kRows] = {};
    product.add(normed, params.d_model, rows, sums);
    product = product_of(row + kWarps);
    product.fetch();
    float mine = 0;  // lane s keeps the sum of sequence s
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      const float sum = warp_sum(sums[s]);
      if (lane == s) mine = sum;
    }
    if (row < params.channels) {
      conv.finish(round_to<T>(mine));
    } else if (lane < rows) {
      params.z[lane * params.channels + row - params.channels] = round_to<T>(mine);
    }
  }
}

// Rows per block: of 1 to 4 blocks to a multiprocessor the number whose last round wastes least.
std::int64_t rows_per_block(std::int64_t rows, int processors) {
  std::int64_t best = 0, best_rounds_times_warps = 0;
  for (std::int64_t per_processor = 4; per_processor >= 1; --per_processor) {
    const std::int64_t warps = per_processor * processors * kWarps;
    const std::int64_t rounds = ceil_div(rows, warps);
    if (best == 0 || rounds * warps < best_rounds_times_warps) {
      best = rounds * kWarps;
      best_rounds_times_warps = rounds * warps;
    }
  }
  return best;
}

template <typename T, int kRows>
cudaError_t launch(const InProjStepParams<T>& params, cudaStream_t stream) {
  const int processors = multiprocessor_count();
  if (processors == 0) return cudaErrorNoDevice;
  const std::int64_t block_rows = rows_per_block(2 * params.channels, processors);
  const auto blocks = static_cast<unsigned>(ceil_div(2 * params.channels, block_rows));
  const std::size_t shared = params.rows * params.d_model * sizeof(T);
  constexpr int kWide = kWideElements<T>;
  const bool wide = params.d_model % kWide == 0 && takes_packets(params.in_proj, kWide);
  const auto kernel =
      wide ? in_proj_step_kernel<T, kWide, kRows> : in_proj_step_kernel<T, 1, kRows>;
  return launch_dependent(kernel, dim3(blocks), kThreads, shared, stream, params, block_rows);
}

}  // namespace

template <typename T>
cudaError_t in_proj_step_portable(const InProjStepParams<T>& params, cudaStream_t stream) {
  if (params.rows == 1) return launch<T, 1>(params, stream);
  if (params.rows == 2) return launch<T, 2>(params, stream);
  return launch<T, kFewRows>(params, stream);
}

template cudaError_t in_proj_step_portable(const InProjStepParams<float>&, cudaStream_t);
template cudaError_t in_proj_step_portable(const InProjStepParams<BFloat16>&, cudaStream_t);
template cudaError_t in_proj_step_portable(const InProjStepParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
