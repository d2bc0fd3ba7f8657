// simba::select_tokens: ascending indices of the `keep` highest-scoring tokens of each sequence
// (order and ties: kernels/select_tokens). select_tokens returns (B, keep) int64;
// select_tokens.packed flat indices (1, sum of keep) and the kept tokens' own cu_seqlens (S + 1)
// int32.
#include "kernels/select_tokens/select_tokens.h"

#include <torch/csrc/stable/library.h>

#include <tuple>
#include <vector>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/select_tokens/select_tokens_cuda.h"
#endif

namespace simba::ops {
namespace {

void check_scores(const Checks& check, const Tensor& scores) {
  check.rank("scores", scores, 2, "(B, L)");
  if (scores.scalar_type() != ScalarType::Double) check.dtype("scores", scores, ScalarType::Float);
  check.last_dimension_contiguous("scores", scores);
}

// 1 to length tokens of a sequence are kept, and none of an empty one.
void check_keep(const Checks& check, const std::string& name, std::int64_t keep,
                std::int64_t length) {
  const std::int64_t least = length > 0 ? 1 : 0;
  if (keep < least || keep > length) {
    check.fail(name.c_str(), "in [" + std::to_string(least) + ", " + std::to_string(length) + "]",
               std::to_string(keep));
  }
}

// keep_offsets (S + 1): where each sequence's indices begin; written to kept_seqlens too, if given.
void run(const Checks& check, const Tensor& scores, const kernels::Sequences& sequences,
         const std::vector<std::int64_t>& keep_offsets, const Tensor& indices,
         std::int32_t* kept_seqlens) {
  const auto typed = [&]<typename Acc>(std::type_identity<Acc>) {
    const kernels::SelectTokensParams<Acc> params{
        .sequences = sequences,
        .scores = data<Acc>(scores),
        .batch_stride = scores.stride(0),
        .keep_offsets = keep_offsets.data(),
        .indices = mutable_data<std::int64_t>(indices),
    };
    launch(
        check, scores,
        [&] {
          const std::int64_t tokens = scores.numel();
          parallel_items(sequences.count, tokens, [&](std::int64_t begin, std::int64_t end) {
            kernels::select_tokens_cpu(params, begin, end);
          });
          if (kept_seqlens) std::copy(keep_offsets.begin(), keep_offsets.end(), kept_seqlens);
        },
        [&](auto stream) { return select_tokens_cuda(params, kept_seqlens, stream); });
  };
  if (scores.scalar_type() == ScalarType::Double) {
    typed(std::type_identity<double>{});
  } else {
    typed(std::type_identity<float>{});
  }
}

Tensor select_tokens(const Tensor& scores, std::int64_t keep) {
  const Checks check("select_tokens");
  check_scores(check, scores);
  const std::int64_t batch = scores.size(0), length = scores.size(1);
  check_keep(check, "keep", keep, length);

  Tensor indices = empty({batch, keep}, ScalarType::Long, scores);
  std::vector<std::int64_t> keep_offsets;
  for (std::int64_t s = 0; s <= batch; ++s) keep_offsets.push_back(s * keep);
  run(check, scores, {.count = batch, .length = length, .cu_seqlens = nullptr}, keep_offsets,
      indices, nullptr);
  return indices;
}

std::tuple<Tensor, Tensor> select_tokens_packed(const Tensor& scores,
                                                std::vector<std::int64_t> keep,
                                                const Tensor& cu_seqlens) {
  const Checks check("select_tokens");
  check_scores(check, scores);
  const kernels::Sequences sequences =
      check.sequences(cu_seqlens, scores.size(0), scores.size(1), "scores", scores);
  const auto count = static_cast<std::int64_t>(keep.size());
  if (count != sequences.count) {
    check.fail("keep", "one count per sequence, S = " + std::to_string(sequences.count),
               std::to_string(count) + " counts");
  }
  std::vector<std::int64_t> keep_offsets{0};
  for (std::int64_t s = 0; s < count; ++s) {
    // The lengths of sequences on a GPU are not known here; each is at most the whole row.
    const std::int64_t length =
        scores.is_cpu() ? sequences.end(s) - sequences.begin(s) : sequences.length;
    if (scores.is_cpu() || keep[s] < 0 || keep[s] > length) {
      check_keep(check, "keep[" + std::to_string(s) + "]", keep[s], length);
    }
    keep_offsets.push_back(keep_offsets.back() + keep[s]);
  }

  Tensor indices = empty({1, keep_offsets.back()}, ScalarType::Long, scores);
  Tensor kept_seqlens = empty({count + 1}, ScalarType::Int, scores);
  run(check, scores, sequences, keep_offsets, indices, mutable_data<std::int32_t>(kept_seqlens));
  return {indices, kept_seqlens};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def("select_tokens(Tensor scores, SymInt keep) -> Tensor");
  m.def(
      "select_tokens.packed(Tensor scores, SymInt[] keep, Tensor cu_seqlens) -> (Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("select_tokens", TORCH_BOX(&simba::ops::select_tokens));
  m.impl("select_tokens.packed", TORCH_BOX(&simba::ops::select_tokens_packed));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("select_tokens", TORCH_BOX(&simba::ops::select_tokens));
  m.impl("select_tokens.packed", TORCH_BOX(&simba::ops::select_tokens_packed));
}
#endif
