#include "csrc/model/gpt_neox/attention.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/le.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

// query, key, value: (batch, heads, tokens, d_head). query_positions: (batch or nothing, queries);
// undefined: query i is at position i, as its key is.
at::Tensor scaled_dot_product(const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value, const at::Tensor& query_positions) {
  std::optional<at::Tensor> visible;
  if (query_positions.defined()) {
    const at::Tensor key_positions = at::arange(key.size(2), query_positions.options());
    visible = at::le(key_positions, query_positions.unsqueeze(-1));
    if (visible->dim() == 3) visible = visible->unsqueeze(1);
  }
  return at::scaled_dot_product_attention(query, key, value, visible, /*dropout_p=*/0.0,
                                          /*is_causal=*/!visible.has_value());
}

// Rows of the flat (sequences * width) slots that packed rows go to.
std::vector<std::int64_t> slots(const std::vector<std::int64_t>& lengths, std::int64_t width) {
  std::vector<std::int64_t> rows;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::int64_t i = 0; i < lengths[s]; ++i) {
      rows.push_back(static_cast<std::int64_t>(s) * width + i);
    }
  }
  return rows;
}

// (R, heads, d_head) as (S, width, heads, d_head): zeros behind each sequence.
at::Tensor pad(const at::Tensor& packed, const at::Tensor& slot, std::int64_t sequences,
               std::int64_t width) {
  const at::Tensor padded =
      at::zeros({sequences * width, packed.size(1), packed.size(2)}, packed.options());
  return padded.index_copy(0, slot, packed)
      .view({sequences, width, packed.size(1), packed.size(2)});
}

}  // namespace

PackedAttention::PackedAttention(const std::vector<std::int64_t>& past,
                                 const std::vector<std::int64_t>& lengths, at::Device device)
    : lengths_(lengths) {
  std::vector<std::int64_t> order;
  std::int64_t old_row = 0;
  std::int64_t new_row = std::accumulate(past.begin(), past.end(), std::int64_t{0});
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    if (past[s] > 0) from_start_ = false;
    totals_.push_back(past[s] + lengths[s]);
    for (std::int64_t i = 0; i < past[s]; ++i) order.push_back(old_row++);
    for (std::int64_t i = 0; i < lengths[s]; ++i) order.push_back(new_row++);
  }
  cache_order_ = make_index(order, device);
  positions_ = make_positions(past, lengths, device);
}

void PackedAttention::append(KeysAndValues& cache, const at::Tensor& keys,
                             const at::Tensor& values) const {
  if (from_start_) {
    cache = {keys, values.contiguous()};
    return;
  }
  cache.keys = at::cat({cache.keys, keys}).index_select(0, cache_order_);
  cache.values = at::cat({cache.values, values}).index_select(0, cache_order_);
}

at::Tensor PackedAttention::attend(const at::Tensor& queries, const KeysAndValues& cache) const {
  return queries.is_cpu() ? attend_one_by_one(queries, cache) : attend_padded(queries, cache);
}

at::Tensor PackedAttention::attend_one_by_one(const at::Tensor& queries,
                                              const KeysAndValues& cache) const {
  at::Tensor out = at::empty_like(queries, at::MemoryFormat::Contiguous);
  std::int64_t query_row = 0;
  std::int64_t key_row = 0;
  for (std::size_t s = 0; s < lengths_.size(); ++s) {
    const auto sequence = [](const at::Tensor& packed, std::int64_t begin, std::int64_t count) {
      return packed.narrow(0, begin, count).transpose(0, 1).unsqueeze(0);
    };
    if (lengths_[s] > 0) {
      const bool from_start = lengths_[s] == totals_[s];
      const at::Tensor positions =
          from_start ? at::Tensor() : positions_.narrow(0, query_row, lengths_[s]);
      sequence(out, query_row, lengths_[s])
          .copy_(scaled_dot_product(sequence(queries, query_row, lengths_[s]),
                                    sequence(cache.keys, key_row, totals_[s]),
                                    sequence(cache.values, key_row, totals_[s]), positions));
    }
    query_row += lengths_[s];
    key_row += totals_[s];
  }
  return out;
}

at::Tensor PackedAttention::attend_padded(const at::Tensor& queries,
                                          const KeysAndValues& cache) const {
  const auto sequences = static_cast<std::int64_t>(lengths_.size());
  if (queries.size(0) == 0) return queries;
  const std::int64_t most_queries = *std::max_element(lengths_.begin(), lengths_.end());
  const std::int64_t most_keys = *std::max_element(totals_.begin(), totals_.end());
  const at::Tensor query_slot = make_index(slots(lengths_, most_queries), queries.device());
  const at::Tensor key_slot = make_index(slots(totals_, most_keys), queries.device());
  // A padding query is at position 0 and sees its sequence's first key; nobody reads its result. A
  // query that is none sees nothing behind its own position, so no padding key either.
  at::Tensor positions;
  if (!from_start_) {
    positions = at::zeros({sequences * most_queries}, positions_.options())
                    .index_copy(0, query_slot, positions_)
                    .view({sequences, most_queries});
  }
  const at::Tensor out = scaled_dot_product(
      pad(queries, query_slot, sequences, most_queries).transpose(1, 2),
      pad(cache.keys, key_slot, sequences, most_keys).transpose(1, 2),
      pad(cache.values, key_slot, sequences, most_keys).transpose(1, 2), positions);
  return out.transpose(1, 2)
      .reshape({sequences * most_queries, queries.size(1), queries.size(2)})
      .index_select(0, query_slot);
}

}  // namespace simba
