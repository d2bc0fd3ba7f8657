// What is selected from a sequence. A launch takes up to 256 sequences, whose keep_offsets are in
// the kernel's parameters (2 KiB).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/select_tokens/select_tokens.h"

namespace simba::kernels {

inline constexpr int kLaunchSequences = 256;

struct KeepOffsets {
  std::int64_t first_sequence;
  std::int64_t values[kLaunchSequences + 1];
};

// Calls launch(sequences, offsets) for kLaunchSequences sequences at a time.
template <typename Acc, typename Launch>
cudaError_t for_each_launch(const SelectTokensParams<Acc>& params, const Launch& launch) {
  for (std::int64_t s = 0; s < params.sequences.count; s += kLaunchSequences) {
    const std::int64_t left = params.sequences.count - s;
    const int sequences = static_cast<int>(left < kLaunchSequences ? left : kLaunchSequences);
    KeepOffsets offsets = {};
    offsets.first_sequence = s;
    for (int i = 0; i <= sequences; ++i) offsets.values[i] = params.keep_offsets[s + i];
    launch(sequences, offsets);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// The selection of one sequence. The last token is in; of the `competing` others the
// `wanted` highest are kept.
template <typename Acc>
struct Selection {
  // index: of the launch's sequences.
  __device__ Selection(const SelectTokensParams<Acc>& params, const KeepOffsets& offsets,
                       unsigned index)
      : sequence(offsets.first_sequence + index),
        begin(static_cast<int>(params.sequences.begin(sequence))),
        first(offsets.values[index]),
        asked(offsets.values[index + 1] - first),
        scores(params.scores + params.sequences.batch(sequence) * params.batch_stride + begin),
        indices(params.indices + first) {
    const int length = static_cast<int>(params.sequences.end(sequence)) - begin;
    last = max(begin + length - 1, 0);
    competing = max(length - 1, 0);
    wanted = static_cast<int>(min(asked, std::int64_t(length))) - 1;
  }

  // Everything but the `wanted` first indices: the last token's, as often as more than the length
  // is asked for, and the kept tokens' cu_seqlens (optional). `thread` of `threads` that share
  // the sequence.
  __device__ void write_rest(std::int32_t* kept_cu_seqlens, int thread, int threads) const {
    if (kept_cu_seqlens && thread == 0) {
      if (sequence == 0) kept_cu_seqlens[0] = static_cast<std::int32_t>(first);
      kept_cu_seqlens[sequence + 1] = static_cast<std::int32_t>(first + asked);
    }
    for (std::int64_t i = max(wanted, 0) + thread; i < asked; i += threads) {
      indices[i] = last;
    }
  }

  std::int64_t sequence;
  int begin;           // of the sequence's first token: its position in the batch row
  int last;            // of the last one
  std::int64_t first;  // where the sequence's indices begin in the output
  std::int64_t asked;  // keep
  const Acc* scores;
  std::int64_t* indices;
  int competing;
  int wanted;
};

}  // namespace simba::kernels
