// Compiled once per CpuTarget. Lanes are channels of a row; the sums of a row are taken in an order
// that its length alone decides. The normed row comes from the sum before it is rounded to R.
#include <cmath>

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

// sum over the row of (values - center)^2, the lanes beyond `channels` left out.
template <typename Acc>
HWY_INLINE Acc sum_of_squares(const Acc* values, std::int64_t channels, Acc center) {
  const Tag<Acc> d;
  const auto middle = hn::Set(d, center);
  auto sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + kLanes<Acc> <= channels; i += kLanes<Acc>) {
    const auto distance = hn::Sub(hn::Load(d, values + i), middle);
    sum = hn::MulAdd(distance, distance, sum);
  }
  if (i < channels) {
    const auto inside = hn::FirstN(d, static_cast<std::size_t>(channels - i));
    const auto distance = hn::IfThenElseZero(inside, hn::Sub(hn::Load(d, values + i), middle));
    sum = hn::MulAdd(distance, distance, sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Writes s = x + residual (residual nullptr: x) to `sums` and, rounded, to new_residual; returns
// the sum of the row. Lanes of `sums` beyond `channels` become zeros.
template <typename T, typename R, typename Acc>
HWY_INLINE Acc add_row(const T* x, const R* residual, std::int64_t channels, Acc* sums,
                       R* new_residual) {
  const Tag<Acc> d;
  auto total = hn::Zero(d);
  for (std::int64_t i = 0; i < channels; i += kLanes<Acc>) {
    const std::int64_t count = channels - i;
    auto s = load_lanes<Acc>(x + i, count);
    if (residual) s = hn::Add(s, load_lanes<Acc>(residual + i, count));
    total = hn::Add(total, s);
    hn::Store(s, d, sums + i);
    store_lanes<Acc>(s, new_residual + i, count);
  }
  return hn::GetLane(hn::SumOfLanes(d, total));
}

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T, typename R>
void add_norm_target(const AddNormParams<T, R>& params, std::int64_t begin, std::int64_t end) {
  namespace hn = hwy::HWY_NAMESPACE;
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  if (begin >= end) return;
  const Tag<Acc> d;
  const std::int64_t channels = params.channels;
  const Scratch<Acc> sums(channels + kLanes<Acc>);
  for (std::int64_t flat = begin; flat < end; ++flat) {
    const std::int64_t b = flat / params.rows, r = flat % params.rows;
    const std::int64_t picked = params.indices ? params.indices[flat] : r;
    const T* x = params.x.row(b, params.residual ? r : picked);
    const R* residual = params.residual ? params.residual.row(b, picked) : nullptr;
    const Acc total = add_row(x, residual, channels, sums.get(), params.new_residual.row(b, r));
    const Acc mean = params.bias ? total / static_cast<Acc>(channels) : Acc{0};
    const Acc variance = sum_of_squares(sums.get(), channels, mean) / static_cast<Acc>(channels);
    const auto scale = hn::Set(d, 1 / std::sqrt(variance + static_cast<Acc>(params.eps)));
    T* normed = params.normed.row(b, r);
    for (std::int64_t i = 0; i < channels; i += kLanes<Acc>) {
      const std::int64_t count = channels - i;
      const auto centered = hn::Sub(hn::Load(d, sums.get() + i), hn::Set(d, mean));
      auto result = hn::Mul(hn::Mul(centered, scale), load_lanes<Acc>(params.weight + i, count));
      if (params.bias) result = hn::Add(result, load_lanes<Acc>(params.bias + i, count));
      store_lanes<Acc>(result, normed + i, count);
    }
  }
}

template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, float, float>(
    const AddNormParams<float, float>&, std::int64_t, std::int64_t);
template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, double, double>(
    const AddNormParams<double, double>&, std::int64_t, std::int64_t);
template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16, BFloat16>(
    const AddNormParams<BFloat16, BFloat16>&, std::int64_t, std::int64_t);
template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, Float16, Float16>(
    const AddNormParams<Float16, Float16>&, std::int64_t, std::int64_t);
template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16, float>(
    const AddNormParams<BFloat16, float>&, std::int64_t, std::int64_t);
template void add_norm_target<CpuTarget::SIMBA_CPU_TARGET, Float16, float>(
    const AddNormParams<Float16, float>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
