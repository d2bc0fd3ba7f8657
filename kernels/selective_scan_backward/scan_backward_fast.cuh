// Gradients of the selective scan for N = 16, time in chunks that run in parallel:
//   1. summaries: what each chunk does to a state and to a gradient that pass through it
//   2. carries: the state before and the gradient behind every chunk
//   3. gradients: everything of a chunk, and shares of what is a sum over chunks or channel blocks
//   4. those sums.
// The states before the tiles of a chunk, which 1 leaves for 3, take the most scratch: 8.5 bytes
// per (step, channel). Beyond kTileStatesBytes the channel blocks are taken in slices.
#pragma once

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/sum_shares.cuh"
#include "kernels/selective_scan_backward/scan_backward_carries.cuh"
#include "kernels/selective_scan_backward/scan_backward_gradients.cuh"
#include "kernels/selective_scan_backward/scan_backward_paths.h"
#include "kernels/selective_scan_backward/scan_backward_summaries.cuh"
#include "kernels/selective_scan_backward/scan_backward_sums.cuh"

namespace simba::kernels {
namespace scan_backward {

// Chunks are as short as it takes for this many blocks, which fill a large GPU several times.
inline constexpr std::int64_t kWantedBlocks = 2560;
inline constexpr std::int64_t kMinChunk = 64;
inline constexpr std::int64_t kMaxChunk = 512;
inline constexpr std::int64_t kTileStatesBytes = std::int64_t(512) << 20;

// How a call is cut. Depends on its sizes alone.
struct Plan {
  Chunks chunks;
  std::int64_t blocks = 0;        // of channels
  std::int64_t slice_blocks = 0;  // at a time
  std::int64_t tokens = 0;

  template <typename T>
  explicit Plan(const SelectiveScanBackwardParams<T>& params)
      : blocks(ceil_div(params.channels, kBlockChannels)),
        tokens(params.batch * params.sequences.length) {
    const Sequences& sequences = params.sequences;
    std::int64_t steps = kMinChunk;
    while (2 * steps <= kMaxChunk && tokens * blocks >= 2 * steps * kWantedBlocks) steps *= 2;
    const std::int64_t per_sequence = ceil_div(sequences.length, steps);
    chunks = {
        .sequences = sequences,
        .steps = steps,
        .per_sequence = per_sequence,
        .most = sequences.cu_seqlens ? sequences.length / steps + sequences.count
                                     : sequences.count * per_sequence,
        .table = nullptr,
    };
    const std::int64_t block_bytes =
        chunks.most * (steps / kTileSteps) * kBlockStates * std::int64_t(sizeof(float));
    const std::int64_t most_blocks = kTileStatesBytes / block_bytes;
    const std::int64_t slices = ceil_div(blocks, most_blocks > 1 ? most_blocks : 1);
    slice_blocks = ceil_div(blocks, slices);
  }

  std::int64_t places() const { return chunks.most * slice_blocks; }
  std::int64_t tile_places() const { return places() * (chunks.steps / kTileSteps); }
  // In floats.
  std::int64_t scratch_size() const {
    const std::int64_t per_place = 3 * kBlockStates + 3 * kBlockChannels;
    return tile_places() * (kBlockStates + kBlockChannels) + places() * per_place +
           blocks * tokens * 2 * kStates +
           (chunks.sequences.cu_seqlens ? chunks.sequences.count + 1 : 0);
  }

  // Sets the table too.
  Scratch lay_out(float* memory) {
    const auto take = [&](std::int64_t count) {
      float* taken = memory;
      memory += count;
      return taken;
    };
    Scratch scratch;
    scratch.tile_states = take(tile_places() * kBlockStates);
    scratch.tile_delta = take(tile_places() * kBlockChannels);
    scratch.states = take(places() * kBlockStates);
    scratch.adjoints = take(places() * kBlockStates);
    scratch.shares_A = take(places() * kBlockStates);
    scratch.delta = take(places() * kBlockChannels);
    scratch.shares_D = take(places() * kBlockChannels);
    scratch.shares_bias = take(places() * kBlockChannels);
    scratch.shares_BC = take(blocks * tokens * 2 * kStates);
    if (chunks.sequences.cu_seqlens) chunks.table = reinterpret_cast<std::int32_t*>(memory);
    return scratch;
  }
};

template <typename T>
void launch_slice(const SelectiveScanBackwardParams<T>& params, const Chunks& chunks,
                  const Scratch& scratch, const Slice& slice, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(chunks.most * slice.blocks);
  const std::int64_t carries = chunks.sequences.count * slice.blocks * kBlockStates;
  summaries_kernel<T><<<grid, kThreads, 0, stream>>>(params, chunks, scratch, slice);
  carries_kernel<T>
      <<<static_cast<unsigned>(ceil_div(carries, kCarryThreads)), kCarryThreads, 0, stream>>>(
          params, chunks, scratch, slice);
  gradients_kernel<T>
      <<<grid, kThreads, sizeof(GradientsMemory), stream>>>(params, chunks, scratch, slice);

  const std::int64_t first = slice.first_block * kBlockChannels;
  const std::int64_t width = slice.blocks * kBlockChannels, rest = params.channels - first;
  const std::int64_t channels = width < rest ? width : rest;
  const std::int32_t* limit = chunks.table ? chunks.table + chunks.sequences.count : nullptr;
  sum_shares(scratch.shares_A, chunks.most, limit, width * kStates, channels * kStates,
             params.grad_A + first * kStates, stream);
  if (params.grad_D) {
    sum_shares(scratch.shares_D, chunks.most, limit, width, channels, params.grad_D + first,
               stream);
  }
  if (params.grad_delta_bias) {
    sum_shares(scratch.shares_bias, chunks.most, limit, width, channels,
               params.grad_delta_bias + first, stream);
  }
}

}  // namespace scan_backward

template <typename T>
bool fast_path_takes(const SelectiveScanBackwardParams<T>& params) {
  using namespace scan_backward;
  constexpr int kCount = kStageChannels;
  if (params.states != kStates || params.sequences.count == 0 || params.batch == 0 ||
      params.sequences.length == 0 || params.channels == 0 || params.channels % kCount != 0 ||
      device_capability() < 80) {
    return false;
  }
  const Plan plan(params);
  return fits_grid(plan.chunks.most, plan.blocks) && fits_grid(plan.tokens, 2 * kStates) &&
         takes_packets(params.u, kCount) && takes_packets(params.delta, kCount) &&
         takes_packets(params.z, kCount) && takes_packets(params.grad_out, kCount) &&
         takes_packets(params.grad_u, kCount) && takes_packets(params.grad_delta, kCount) &&
         takes_packets(params.grad_z, kCount);
}

template <typename T>
std::int64_t scan_backward_scratch_fast(const SelectiveScanBackwardParams<T>& params) {
  return scan_backward::Plan(params).scratch_size();
}

template <typename T>
cudaError_t scan_backward_fast(const SelectiveScanBackwardParams<T>& params, cudaStream_t stream) {
  using namespace scan_backward;
  Plan plan(params);
  const Scratch scratch = plan.lay_out(params.scratch);
  const cudaError_t error =
      cudaFuncSetAttribute(gradients_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(sizeof(GradientsMemory)));
  if (error != cudaSuccess) return error;
  if (plan.chunks.table) table_kernel<<<1, kTableThreads, 0, stream>>>(plan.chunks);
  for (std::int64_t first = 0; first < plan.blocks; first += plan.slice_blocks) {
    const std::int64_t rest = plan.blocks - first;
    const Slice slice{first, rest < plan.slice_blocks ? rest : plan.slice_blocks};
    launch_slice(params, plan.chunks, scratch, slice, stream);
  }
  const std::int64_t items = plan.tokens * 2 * kStates;
  tokens_kernel<T><<<static_cast<unsigned>(ceil_div(items, kSumThreads)), kSumThreads, 0, stream>>>(
      params, scratch.shares_BC, plan.blocks);
  return cudaGetLastError();
}

}  // namespace simba::kernels
