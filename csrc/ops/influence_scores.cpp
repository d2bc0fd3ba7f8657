// simba::influence_scores: log2 of every token's influence on the last token of its sequence
// (Simba, Eq. 4; formula and options: kernels/influence_scores). Returns (B, L) float32, float64
// for float64.
#include "kernels/influence_scores/influence_scores.h"

#include <torch/csrc/stable/library.h>

#include <string>

#include "csrc/ops/launch.h"
#include "csrc/ops/scan_arguments.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/influence_scores/influence_scores_cuda.h"
#endif

namespace simba::ops {
namespace {

kernels::InfluenceDecay parse_decay(const Checks& check, const std::string& decay) {
  if (decay == "no_bias") return kernels::InfluenceDecay::kNoBias;
  if (decay == "full") return kernels::InfluenceDecay::kFull;
  if (decay == "none") return kernels::InfluenceDecay::kNone;
  check.fail("decay", "no_bias, full or none", "'" + decay + "'");
}

kernels::InfluenceReduction parse_reduction(const Checks& check, const std::string& reduction) {
  if (reduction == "max") return kernels::InfluenceReduction::kMax;
  if (reduction == "signed_max") return kernels::InfluenceReduction::kSignedMax;
  if (reduction == "l1") return kernels::InfluenceReduction::kL1;
  if (reduction == "l2") return kernels::InfluenceReduction::kL2;
  check.fail("reduction", "max, l2, l1 or signed_max", "'" + reduction + "'");
}

template <typename T>
void run_cpu(kernels::InfluenceScoresParams<T> params, const Tensor& u) {
  using Acc = kernels::AccumulateType<T>;
  const std::int64_t scratch_size = kernels::influence_scores_scratch(params);
  const Tensor scratch = empty({scratch_size}, accumulate_type(u.scalar_type()), u);
  params.partial = mutable_data<Acc>(scratch);
  const std::int64_t tokens = params.batch * params.sequences.length;
  const std::int64_t items = kernels::influence_scores_work_items(params);
  const std::int64_t elements = tokens * params.channels * params.states;
  parallel_items(items, elements, [&](std::int64_t begin, std::int64_t end) {
    kernels::influence_scores_cpu(params, begin, end);
  });
  parallel_items(tokens, scratch_size, [&](std::int64_t begin, std::int64_t end) {
    kernels::influence_scores_reduce_cpu(params, begin, end);
  });
}

// A template in all it names: a build without CUDA never looks the launchers up.
template <typename Params, typename Stream>
auto run_cuda(Params params, const Tensor& u, Stream stream) {
  using Acc = typename Params::Acc;
  const Tensor scratch =
      empty({influence_scores_scratch_cuda(params)}, accumulate_type(u.scalar_type()), u);
  params.partial = mutable_data<Acc>(scratch);
  return influence_scores_cuda(params, stream);
}

Tensor influence_scores(const Tensor& u, const Tensor& delta, const Tensor& A, const Tensor& B,
                        const Tensor& C, const OptionalTensor& delta_bias,
                        const OptionalTensor& cu_seqlens, std::string decay,
                        std::string reduction) {
  const Checks check("influence_scores");
  const ScanShape shape = check_scan_inputs(check, u, delta, A, B, C, delta_bias);
  const auto [batch, length, channels, states] = shape;
  const ScalarType acc = accumulate_type(u.scalar_type());
  const kernels::Sequences sequences = check.sequences(cu_seqlens, batch, length, "u", u);
  const kernels::InfluenceDecay parsed_decay = parse_decay(check, decay);
  const kernels::InfluenceReduction parsed_reduction = parse_reduction(check, reduction);

  const Tensor A_acc = contiguous_as(A, acc);
  const OptionalTensor bias_acc = contiguous_as(delta_bias, acc);
  Tensor scores = empty({batch, length}, acc, u);

  dispatch_data(u.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::InfluenceScoresParams<T> params{
        .sequences = sequences,
        .batch = batch,
        .channels = channels,
        .states = states,
        .u = rows<T>(u),
        .delta = rows<T>(delta),
        .B = rows<T>(B),
        .C = rows<T>(C),
        .A = data<Acc>(A_acc),
        .delta_bias = data<Acc>(bias_acc),
        .decay = parsed_decay,
        .reduction = parsed_reduction,
        .scores = mutable_data<Acc>(scores),
        .partial = nullptr,
    };
    launch(
        check, u, [&] { run_cpu(params, u); },
        [&](auto stream) { return run_cuda(params, u, stream); });
  });
  return scores;
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "influence_scores(Tensor u, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? "
      "delta_bias=None, "
      "Tensor? cu_seqlens=None, str decay=\"no_bias\", str reduction=\"max\") -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("influence_scores", TORCH_BOX(&simba::ops::influence_scores));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("influence_scores", TORCH_BOX(&simba::ops::influence_scores));
}
#endif
