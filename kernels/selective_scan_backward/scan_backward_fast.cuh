// Gradients of the selective scan for N = 16, time in chunks that run in parallel:
//   1. summaries: what each chunk does to a state and to a gradient that pass through it
//   2. carries: the state before and the gradient behind every chunk
//   3. gradients: everything of a chunk, and shares of what is a sum over chunks or channel blocks
//   4. all those sums.
// The states before the tiles of a chunk, which 1 leaves for 3, take the most scratch: 8.5 bytes
// per (step, channel). Beyond kTileStatesBytes the channel blocks are taken in slices.
#pragma once

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/selective_scan_backward/scan_backward_carries.cuh"
#include "kernels/selective_scan_backward/scan_backward_gradients.cuh"
#include "kernels/selective_scan_backward/scan_backward_paths.h"
#include "kernels/selective_scan_backward/scan_backward_summaries.cuh"
#include "kernels/selective_scan_backward/scan_backward_sums.cuh"

namespace simba::kernels {
namespace scan_backward {

// Blocks of the third kernel that a large GPU holds at a time.
inline constexpr std::int64_t kResidentBlocks = kGradientsBlocks * 132;
inline constexpr std::int64_t kMinChunk = 64;
inline constexpr std::int64_t kMaxChunk = 512;
// What a block costs beside its steps, and a chunk's carries, in steps.
inline constexpr std::int64_t kBlockSteps = 6;
// Rows of a grid; carries_kernel takes further sequences in turn.
inline constexpr std::int64_t kMostCarryRows = 65535;
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
    for (std::int64_t steps = kMinChunk; steps <= kMaxChunk; steps *= 2) {
      const Chunks cut = cut_into(params.sequences, steps);
      if (steps == kMinChunk || cost(cut) < cost(chunks)) chunks = cut;
    }
    const std::int64_t block_bytes =
        chunks.most * (chunks.steps / kTileSteps) * kBlockStates * std::int64_t(sizeof(float));
    const std::int64_t most_blocks = kTileStatesBytes / block_bytes;
    const std::int64_t slices = ceil_div(blocks, most_blocks > 1 ? most_blocks : 1);
    slice_blocks = ceil_div(blocks, slices);
  }

  static Chunks cut_into(const Sequences& sequences, std::int64_t steps) {
    const std::int64_t per_sequence = ceil_div(sequences.length, steps);
    return {
        .sequences = sequences,
        .steps = steps,
        .per_sequence = per_sequence,
        .most = sequences.cu_seqlens ? sequences.length / steps + sequences.count
                                     : sequences.count * per_sequence,
        .table = nullptr,
    };
  }
  // Steps that pass while all blocks run, as many at a time as a GPU holds.
  std::int64_t cost(const Chunks& cut) const {
    return ceil_div(cut.most * blocks, kResidentBlocks) * (cut.steps + kBlockSteps);
  }

  std::int64_t places() const { return chunks.most * slice_blocks; }
  std::int64_t tile_places() const { return places() * (chunks.steps / kTileSteps); }
  // In floats.
  std::int64_t scratch_size() const {
    return tile_places() * (kBlockStates + kBlockChannels) +
           places() * (2 * kBlockStates + kBlockChannels) +
           chunks.most * blocks * (kBlockStates + 2 * kBlockChannels) +
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
    scratch.delta = take(places() * kBlockChannels);
    scratch.shares_A = take(chunks.most * blocks * kBlockStates);
    scratch.shares_D = take(chunks.most * blocks * kBlockChannels);
    scratch.shares_bias = take(chunks.most * blocks * kBlockChannels);
    scratch.shares_BC = take(blocks * tokens * 2 * kStates);
    if (chunks.sequences.cu_seqlens) chunks.table = reinterpret_cast<std::int32_t*>(memory);
    return scratch;
  }
};

template <typename T>
void launch_slice(const SelectiveScanBackwardParams<T>& params, const Chunks& chunks,
                  const Scratch& scratch, const Slice& slice, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(chunks.most * slice.blocks);
  const std::int64_t count = chunks.sequences.count;
  const dim3 carries(static_cast<unsigned>(slice.blocks * kBlockStates / kCarryThreads),
                     static_cast<unsigned>(count < kMostCarryRows ? count : kMostCarryRows), 2);
  summaries_kernel<T><<<grid, kThreads, 0, stream>>>(params, chunks, scratch, slice);
  carries_kernel<T><<<carries, kCarryThreads, 0, stream>>>(params, chunks, scratch, slice);
  gradients_kernel<T>
      <<<grid, kThreads, sizeof(GradientsMemory<T>), stream>>>(params, chunks, scratch, slice);
}

template <typename T>
void launch_sums(const SelectiveScanBackwardParams<T>& params, const Plan& plan,
                 const Scratch& scratch, cudaStream_t stream) {
  const auto of_shares = [](std::int64_t size) {
    return static_cast<unsigned>(ceil_div(size, kSumsColumns));
  };
  const SumsGrid grid{
      .tokens = static_cast<unsigned>(ceil_div(plan.tokens * 2 * kStates, kSumsThreads)),
      .A = of_shares(plan.blocks * kBlockStates),
      .D = params.grad_D ? of_shares(params.channels) : 0,
      .bias = params.grad_delta_bias ? of_shares(params.channels) : 0,
  };
  sums_kernel<T>
      <<<grid.blocks(), kSumsThreads, 0, stream>>>(params, plan.chunks, scratch, plan.blocks, grid);
}

}  // namespace scan_backward

template <typename T>
bool fast_path_takes(const SelectiveScanBackwardParams<T>& params) {
  using namespace scan_backward;
  constexpr int kCount = kStageChannels;
  if (params.states != kStates || params.sequences.count == 0 || params.batch == 0 ||
      params.sequences.length == 0 || params.channels == 0 || params.channels % kCount != 0 ||
      code_capability(gradients_kernel<T>) < 80) {
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
                           static_cast<int>(sizeof(GradientsMemory<T>)));
  if (error != cudaSuccess) return error;
  if (plan.chunks.table) table_kernel<<<1, kTableThreads, 0, stream>>>(plan.chunks);
  for (std::int64_t first = 0; first < plan.blocks; first += plan.slice_blocks) {
    const std::int64_t rest = plan.blocks - first;
    const Slice slice{
        .first_block = first,
        .blocks = rest < plan.slice_blocks ? rest : plan.slice_blocks,
        .all_blocks = plan.blocks,
    };
    launch_slice(params, plan.chunks, scratch, slice, stream);
  }
  launch_sums(params, plan, scratch, stream);
  return cudaGetLastError();
}

}  // namespace simba::kernels
