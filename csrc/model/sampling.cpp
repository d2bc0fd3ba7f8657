#include "csrc/model/sampling.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/sort.h>

#include <cmath>
#include <string>

#include "csrc/input_error.h"
#include "csrc/model/splitmix64.h"
#include "csrc/model/vector_math.h"

namespace simba {
namespace {

constexpr double kUnit = 0x1p40;

// (S, k) int64, of logits in falling order.
at::Tensor weights_of(const at::Tensor& sorted, double temperature) {
  settle_vector_math();
  const at::Tensor logits = sorted.to(at::kDouble);
  return logits.sub(logits.narrow(1, 0, 1)).div_(temperature).exp_().mul_(kUnit).to(at::kLong);
}

}  // namespace

void check_sampling(const Sampling& sampling) {
  if (!(sampling.temperature >= 0) || !std::isfinite(sampling.temperature)) {
    throw InputError("temperature: expected a finite number of at least 0, got " +
                     std::to_string(sampling.temperature));
  }
  if (sampling.top_k < 0) {
    throw InputError("top_k: expected at least 0 (0: all tokens), got " +
                     std::to_string(sampling.top_k));
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    throw InputError("top_p: expected a number in (0, 1], got " + std::to_string(sampling.top_p));
  }
}

double uniform(std::uint64_t seed, std::int64_t stream, std::int64_t step) {
  const std::uint64_t keyed = splitmix64(splitmix64(seed) ^ static_cast<std::uint64_t>(stream));
  return static_cast<double>(splitmix64(keyed ^ static_cast<std::uint64_t>(step)) >> 11) * 0x1p-53;
}

at::Tensor choose_tokens(const at::Tensor& logits, const Sampling& sampling,
                         const at::Tensor& uniforms) {
  if (sampling.is_greedy()) return at::argmax(logits, -1);
  auto [sorted, ids] = at::sort(logits, /*stable=*/true, /*dim=*/-1, /*descending=*/true);
  if (sampling.top_k > 0 && sampling.top_k < logits.size(1)) {
    sorted = sorted.narrow(1, 0, sampling.top_k);
  }
  at::Tensor weights = weights_of(sorted, sampling.temperature);
  at::Tensor running = at::cumsum(weights, -1);
  if (sampling.top_p < 1) {
    const at::Tensor bound = running.narrow(1, running.size(1) - 1, 1).to(at::kDouble);
    const at::Tensor stays = running.sub(weights).to(at::kDouble).lt(bound.mul(sampling.top_p));
    running = at::cumsum(weights.mul_(stays), -1);
  }
  const at::Tensor total = running.narrow(1, running.size(1) - 1, 1);
  // The product can round up to the total itself.
  const at::Tensor target = at::minimum(
      total.to(at::kDouble).mul_(uniforms.unsqueeze(1)).floor_().to(at::kLong), total.sub(1));
  const at::Tensor drawn = running.le(target).sum(-1, /*keepdim=*/true);
  return ids.gather(1, drawn).squeeze(1);
}

}  // namespace simba
