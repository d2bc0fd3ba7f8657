// Slopes of the model's elementary functions, for whole vectors.
#pragma once

#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// silu(x) = x s and its slope s (1 + x (1 - s)), s = sigmoid(x).
template <typename Acc>
struct SiluParts {
  Vec<Acc> x, sigmoid;

  HWY_INLINE explicit SiluParts(Vec<Acc> value)
      : x(at_least<Acc>(value, std::numeric_limits<Acc>::lowest())), sigmoid(sigmoid_of(x)) {}

  static HWY_INLINE Vec<Acc> sigmoid_of(Vec<Acc> x) {
    const Vec<Acc> one = hn::Set(Tag<Acc>(), Acc{1});
    return hn::Div(one, hn::Add(one, Exp<Acc>(hn::Neg(x))));
  }

  HWY_INLINE Vec<Acc> silu() const { return hn::Mul(x, sigmoid); }
  // 1 beyond x = 2^10, where x (1 - s) is 0 but would be NaN at infinity.
  HWY_INLINE Vec<Acc> slope() const {
    const Vec<Acc> one = hn::Set(Tag<Acc>(), Acc{1});
    const Vec<Acc> bounded = at_most<Acc>(x, Acc{1024});
    return hn::Mul(sigmoid, hn::MulAdd(bounded, hn::Sub(one, sigmoid), one));
  }
};

// The slope of softplus, sigmoid(x), from w = e^-|x|.
template <typename Acc>
HWY_INLINE Vec<Acc> SoftplusSlope(Vec<Acc> x, Vec<Acc> w) {
  const Tag<Acc> d;
  const Vec<Acc> one = hn::Set(d, Acc{1});
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), w, one), hn::Add(one, w));
}

}  // namespace simba::kernels::HWY_NAMESPACE
