// Small host-side descriptions of packed sequences as tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace simba {

// (S + 1) int32 on `device`: 0, then the running sum of lengths.
at::Tensor make_cu_seqlens(const std::vector<std::int64_t>& lengths, at::Device device);

// int64 tensor of host values on `device`.
at::Tensor make_index(const std::vector<std::int64_t>& values, at::Device device);

// (sum of lengths) int64: the positions of packed tokens, those of sequence s from first[s] on.
at::Tensor make_positions(const std::vector<std::int64_t>& first,
                          const std::vector<std::int64_t>& lengths, at::Device device);

// Flat index of the last token of every non-empty sequence.
std::vector<std::int64_t> last_tokens(const std::vector<std::int64_t>& lengths);

}  // namespace simba
