// What flows up the layers: the tokens that are still there, and what one layer computes from them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace simba {

// S sequences laid end to end. In the residual stream's split form a token's activation is
// hidden + residual: the sum is taken inside the next layer's add_norm, together with the gather of
// the residual rows that survived.
struct Tokens {
  at::Tensor hidden;    // (1, R, d_model): the last layer's output (before layer 0: the embeddings)
  at::Tensor residual;  // (1, R', d_model), undefined before layer 0
  at::Tensor
      residual_rows;  // (1, R) int64: the residual row of each token; undefined: row r is token r
  at::Tensor cu_seqlens;              // (S + 1) int32
  std::vector<std::int64_t> lengths;  // (S) the same on the host
  at::Tensor positions;  // (R) int64: each token's position in its own original sequence

  std::int64_t count() const { return hidden.size(1); }
  // hidden + residual, (R, d_model): the activations as other implementations print them.
  at::Tensor activations() const;
};

// The inputs of one layer's selective scan, for all its tokens. delta is raw (no bias, no
// softplus).
struct SsmInputs {
  at::Tensor u, delta;          // (1, R, d_inner)
  at::Tensor B, C;              // (1, R, N)
  at::Tensor z;                 // (1, R, d_inner)
  at::Tensor A, D, delta_bias;  // (d_inner, N), (d_inner), (d_inner)
  at::Tensor residual;          // (1, R, d_model)
  at::Tensor cu_seqlens;        // (S + 1) int32
  std::vector<std::int64_t> lengths;
  at::Tensor positions;  // (R)
};

// The tokens of a layer that go on. indices undefined: all of them.
struct Kept {
  at::Tensor indices;     // (1, R_kept) int64, ascending, flat in the packed dimension
  at::Tensor cu_seqlens;  // (S + 1) int32
  std::vector<std::int64_t> lengths;
  at::Tensor scores;  // (1, R), what the criterion ranked by; undefined where it ranks by no score

  bool all() const { return !indices.defined(); }
};

}  // namespace simba
