// Compiled once per CpuTarget. Lanes are channels of a row; the sums of a row are taken in an order
// that its length alone decides. Scratch: per run of rows, shares of grad_weight and grad_bias (2,
// D).
#include <cmath>

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

// The statistics of one row, the sums over its channels.
template <typename Acc>
struct RowMeans {
  Acc scale;   // 1 / sqrt(var + eps)
  Acc mean;    // of s; 0 in RMSNorm
  Acc along;   // mean(f e)
  Acc offset;  // mean(f); 0 in RMSNorm
};

// Rows of one run, and their shares of the parameters' gradients.
template <typename T, typename R>
class NormRows {
 public:
  using Acc = AccumulateType<T>;

  HWY_INLINE NormRows(const AddNormBackwardParams<T, R>& params, Acc* grad_weight, Acc* grad_bias)
      : p_(params), grad_weight_(grad_weight), grad_bias_(grad_bias) {}

  // Adds ds of output row r to `sum` (replaces it where `first`); ds itself goes to grad_x where
  // that has output rows.
  HWY_INLINE void add(std::int64_t b, std::int64_t r, bool first, Acc* sum) const {
    const Tag<Acc> d;
    const R* s_row = p_.new_residual.row(b, r);
    const T* grad_row = p_.grad_normed.row(b, r);
    const RowMeans<Acc> means = means_of(s_row, grad_row);
    const auto scale = hn::Set(d, means.scale), along = hn::Set(d, means.along);
    for (std::int64_t i = 0; i < p_.channels; i += kLanes<Acc>) {
      const std::int64_t count = p_.channels - i;
      const auto e =
          hn::Mul(hn::Sub(load_lanes<Acc>(s_row + i, count), hn::Set(d, means.mean)), scale);
      const auto grad = load_lanes<Acc>(grad_row + i, count);
      const auto f = hn::Mul(grad, load_lanes<Acc>(p_.weight + i, count));
      auto ds = hn::Mul(hn::NegMulAdd(e, along, hn::Sub(f, hn::Set(d, means.offset))), scale);
      if (p_.grad_new_residual) {
        ds = hn::Add(ds, load_lanes<Acc>(p_.grad_new_residual.row(b, r) + i, count));
      }
      if (p_.grad_residual) store_lanes<Acc>(ds, p_.grad_x.row(b, r) + i, count);
      hn::Store(first ? ds : hn::Add(hn::Load(d, sum + i), ds), d, sum + i);
      add_lanes(hn::Mul(grad, e), grad_weight_ + i, count);
      if (grad_bias_) add_lanes(grad, grad_bias_ + i, count);
    }
  }

 private:
  static HWY_INLINE void add_lanes(Vec<Acc> value, Acc* to, std::int64_t count) {
    store_lanes<Acc>(hn::Add(load_lanes<Acc>(to, count), value), to, count);
  }

  HWY_INLINE RowMeans<Acc> means_of(const R* s_row, const T* grad_row) const {
    const Tag<Acc> d;
    const Acc channels = static_cast<Acc>(p_.channels);
    RowMeans<Acc> means{};
    if (p_.grad_bias) {
      auto total = hn::Zero(d);
      for (std::int64_t i = 0; i < p_.channels; i += kLanes<Acc>) {
        total = hn::Add(total, load_lanes<Acc>(s_row + i, p_.channels - i));
      }
      means.mean = hn::GetLane(hn::SumOfLanes(d, total)) / channels;
    }
    // Lanes beyond the row hold f = 0 but a distance of -mean, which must not count.
    auto squares = hn::Zero(d), products = squares, total = squares;
    for (std::int64_t i = 0; i < p_.channels; i += kLanes<Acc>) {
      const std::int64_t count = p_.channels - i;
      auto distance = hn::Sub(load_lanes<Acc>(s_row + i, count), hn::Set(d, means.mean));
      if (count < kLanes<Acc>) {
        distance = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(count)), distance);
      }
      const auto f =
          hn::Mul(load_lanes<Acc>(grad_row + i, count), load_lanes<Acc>(p_.weight + i, count));
      squares = hn::MulAdd(distance, distance, squares);
      products = hn::MulAdd(f, distance, products);
      total = hn::Add(total, f);
    }
    const Acc variance = hn::GetLane(hn::SumOfLanes(d, squares)) / channels;
    means.scale = 1 / std::sqrt(variance + static_cast<Acc>(p_.eps));
    means.along = hn::GetLane(hn::SumOfLanes(d, products)) / channels * means.scale;
    if (p_.grad_bias) means.offset = hn::GetLane(hn::SumOfLanes(d, total)) / channels;
    return means;
  }

  const AddNormBackwardParams<T, R>& p_;
  Acc* grad_weight_;
  Acc* grad_bias_;
};

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T, typename R>
void add_norm_backward_target(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                              std::int64_t end) {
  namespace hn = hwy::HWY_NAMESPACE;
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  const PickedRows& picked = params.picked;
  const std::int64_t channels = params.channels, sources = params.batch * picked.sources;
  const Scratch<Acc> sum(channels + kLanes<Acc>);
  for (std::int64_t run = begin; run < end; ++run) {
    Acc* grad_weight = params.scratch + run * 2 * channels;
    Acc* grad_bias = params.grad_bias ? grad_weight + channels : nullptr;
    for (std::int64_t i = 0; i < 2 * channels; ++i) grad_weight[i] = 0;
    const NormRows<T, R> rows(params, grad_weight, grad_bias);
    const std::int64_t stop = (run + 1) * kNormBackwardRun;
    for (std::int64_t flat = run * kNormBackwardRun; flat < (stop < sources ? stop : sources);
         ++flat) {
      const std::int64_t b = flat / picked.sources, l = flat % picked.sources;
      const std::int64_t first = picked.first(b, l);
      if (first == picked.rows) {
        for (std::int64_t i = 0; i < channels; ++i) sum[i] = 0;
      }
      for (std::int64_t r = first; r < picked.rows; r = picked.next(b, r)) {
        rows.add(b, r, r == first, sum.get());
      }
      for (std::int64_t i = 0; i < channels; i += kLanes<Acc>) {
        const auto value = hn::Load(Tag<Acc>(), &sum[i]);
        if (params.grad_residual) {
          store_lanes<Acc>(value, params.grad_residual.row(b, l) + i, channels - i);
        } else {
          store_lanes<Acc>(value, params.grad_x.row(b, l) + i, channels - i);
        }
      }
    }
  }
}

template <CpuTarget target, typename T, typename R>
void add_norm_backward_sum_target(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                                  std::int64_t end) {
  const std::int64_t runs = ceil_div(params.batch * params.picked.sources, kNormBackwardRun);
  for (std::int64_t i = begin; i < end; ++i) {
    AccumulateType<T> weight = 0, bias = 0;
    for (std::int64_t run = 0; run < runs; ++run) {
      weight += params.scratch[run * 2 * params.channels + i];
      bias += params.scratch[(run * 2 + 1) * params.channels + i];
    }
    params.grad_weight[i] = weight;
    if (params.grad_bias) params.grad_bias[i] = bias;
  }
}

#define SIMBA_INSTANTIATE(T, R)                                                  \
  template void add_norm_backward_target<CpuTarget::SIMBA_CPU_TARGET, T, R>(     \
      const AddNormBackwardParams<T, R>&, std::int64_t, std::int64_t);           \
  template void add_norm_backward_sum_target<CpuTarget::SIMBA_CPU_TARGET, T, R>( \
      const AddNormBackwardParams<T, R>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float, float)
SIMBA_INSTANTIATE(double, double)
SIMBA_INSTANTIATE(BFloat16, BFloat16)
SIMBA_INSTANTIATE(Float16, Float16)
SIMBA_INSTANTIATE(BFloat16, float)
SIMBA_INSTANTIATE(Float16, float)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
