// Causal self-attention of packed sequences over their cached keys and values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace simba {

// What one layer remembers: the keys and values of every token read, (R, heads, d_head), sequence
// after sequence. Undefined before the first.
struct KeysAndValues {
  at::Tensor keys, values;
};

// The layout of one pass, shared by its layers: sequence s has past[s] tokens in the cache and
// reads lengths[s] >= 0 more.
class PackedAttention {
 public:
  PackedAttention(const std::vector<std::int64_t>& past, const std::vector<std::int64_t>& lengths,
                  at::Device device);

  // Puts the new tokens' keys and values, each (sum of lengths, heads, d_head), behind their
  // sequences' own.
  void append(KeysAndValues& cache, const at::Tensor& keys, const at::Tensor& values) const;

  // Every query attends to its sequence's tokens up to its own; scores are scaled by
  // 1 / sqrt(d_head). queries and the result: (sum of lengths, heads, d_head). `cache` holds the
  // queries' tokens already. On the CPU the sequences are taken one by one, so that a result does
  // not depend on the batch; elsewhere all at once.
  at::Tensor attend(const at::Tensor& queries, const KeysAndValues& cache) const;

  at::Tensor attend_one_by_one(const at::Tensor& queries, const KeysAndValues& cache) const;
  at::Tensor attend_padded(const at::Tensor& queries, const KeysAndValues& cache) const;

 private:
  std::vector<std::int64_t> lengths_;
  std::vector<std::int64_t> totals_;  // past + lengths
  bool from_start_ = true;            // no sequence has a past
  at::Tensor cache_order_;            // row of [old cache, new tokens] of each row of the new cache
  at::Tensor positions_;              // (sum of lengths) each query's position in its sequence
};

}  // namespace simba
