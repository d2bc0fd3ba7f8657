// Elementary functions of whole vectors of float or double, written for recurrences over channels.
// Errors in units of the last place (ulp), largest found by tests/cpp/kernels/simd_math_test.cpp;
// where a result is subnormal or close to it, the error is below 2 smallest normal numbers instead.
// NaN gives NaN.
#pragma once

#include <limits>
#include <type_traits>

#include "kernels/simd.h"

namespace simba::kernels::HWY_NAMESPACE {

// Minimax polynomials (Remez, relative error), coefficients of ascending powers.
template <typename Acc>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr int kExponentBias = 127;
  // 1.5 * 2^23: added to an integer of few bits, it leaves that integer in the lowest bits.
  static constexpr float kIntegerShift = 0x1.8p23f;
  static constexpr std::uint32_t kSqrtHalfBits = 0x3F3504F3u;
  static constexpr float kSubnormalScale = 0x1p24f, kSubnormalExponent = -24.0f;
  static constexpr float kLowestExponent = -125.0f;
  // Where results are infinite, or 0, for certain.
  static constexpr float kExp2Lowest = -126.0f, kExp2Highest = 129.0f;
  static constexpr float kExpLowest = -87.33f, kExpHighest = 88.8f;
  static constexpr float kLog2E = 0x1.715476p0f;
  // ln 2 in two parts, the first with trailing zeros so that its products with exponents are exact.
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  // (2^r - 1) / r on [-1/2, 1/2], error 9.3e-8.
  static constexpr float kExp2[] = {0.693147f, 0.2402224f, 0.055507362f, 0.009671725f,
                                    0.0013264454f};
  // (e^r - 1) / r on [-log(2)/2, log(2)/2], error 2.3e-8.
  static constexpr float kExp[] = {1.0f,          0.49999997f,    0.166665062f,
                                   0.0416671373f, 0.00836908258f, 0.00138888729f};
  // log1p(w) / w on [0, 1], error 4.7e-9.
  static constexpr float kLog1p[] = {1.0f,         -0.49999902f,  0.3332996f,  -0.24954115f,
                                     0.1967585f,   -0.15305352f,  0.10603271f, -0.056955922f,
                                     0.019849617f, -0.0032436294f};
  // log2(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1], error 7.6e-9.
  static constexpr float kLog2[] = {1.4426949f,   -0.72134715f, 0.48092064f,
                                    -0.36072013f, 0.287694f,    -0.23855095f,
                                    0.21713248f,  -0.21005829f, 0.12569585f};
};

template <>
struct MathConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr int kExponentBias = 1023;
  static constexpr double kIntegerShift = 0x1.8p52;
  static constexpr std::uint64_t kSqrtHalfBits = 0x3FE6A09E667F3BCDu;
  static constexpr double kSubnormalScale = 0x1p54, kSubnormalExponent = -54.0;
  static constexpr double kLowestExponent = -1021.0;
  static constexpr double kExp2Lowest = -1022.0, kExp2Highest = 1025.0;
  static constexpr double kExpLowest = -708.39, kExpHighest = 710.0;
  static constexpr double kLog2E = 0x1.71547652b82fep0;
  static constexpr double kLn2High = 6.93145751953125e-1, kLn2Low = 1.42860682030941723212e-6;
  // Error 3.5e-18.
  static constexpr double kExp2[] = {
      0.6931471805599453,     0.24022650695910133,    0.05550410866482006,   0.009618129107593581,
      0.0013333558146779877,  0.00015403530457861432, 1.525273348966252e-05, 1.321543487849182e-06,
      1.0178200369741404e-07, 7.073857242313719e-09,  4.4347448123862673e-10};
  // (atanh(s) / s - 1) / s^2 as a polynomial of s^2 on [0, 1/9], error 5.3e-17 in atanh: both
  // logarithms in double go through log(1 + w) = 2 atanh(w / (2 + w)).
  static constexpr double kAtanh[] = {
      0.33333333333337417, 0.19999999998359194, 0.14285714500367766,
      0.11111097686579442, 0.09091376842153685, 0.07682585720656035,
      0.06789426221642776, 0.0496865689668006,  0.08836493442788933};
};

template <typename Acc, std::size_t kCount>
HWY_INLINE Vec<Acc> polynomial(Vec<Acc> x, const Acc (&coefficients)[kCount]) {
  const Tag<Acc> d;
  Vec<Acc> sum = hn::Set(d, coefficients[kCount - 1]);
#pragma GCC unroll 16
  for (int k = static_cast<int>(kCount) - 2; k >= 0; --k) {
    sum = hn::MulAdd(sum, x, hn::Set(d, coefficients[k]));
  }
  return sum;
}

// The smaller of x and high; NaN passes (x86's min and max return their second operand then).
template <typename Acc>
HWY_INLINE Vec<Acc> at_most(Vec<Acc> x, Acc high) {
  return hn::Min(hn::Set(Tag<Acc>(), high), x);
}

template <typename Acc>
HWY_INLINE Vec<Acc> at_least(Vec<Acc> x, Acc low) {
  return hn::Max(hn::Set(Tag<Acc>(), low), x);
}

// An integer n of few bits as a number, and with a shift added that leaves n, biased by one less
// than an exponent is, in its lowest bits.
template <typename Acc>
struct Integer {
  static constexpr Acc kShift =
      MathConstants<Acc>::kIntegerShift + (MathConstants<Acc>::kExponentBias - 1);

  Vec<Acc> shifted, value;

  // The integer nearest to a * b.
  static HWY_INLINE Integer nearest_product(Vec<Acc> a, Vec<Acc> b) {
    const Vec<Acc> shift = hn::Set(Tag<Acc>(), kShift);
    const Vec<Acc> shifted = hn::MulAdd(a, b, shift);
    return {shifted, hn::Sub(shifted, shift)};
  }
  static HWY_INLINE Integer nearest(Vec<Acc> x) {
    const Vec<Acc> shift = hn::Set(Tag<Acc>(), kShift);
    const Vec<Acc> shifted = hn::Add(x, shift);
    return {shifted, hn::Sub(shifted, shift)};
  }
};

#if HWY_TARGET == HWY_AVX3
// fraction * 2^exponent; Intel's scalef saturates, and flushes where it is told to.
HWY_INLINE Vec<float> scale_flushed(Vec<float> fraction, Vec<float> exponent) {
  return Vec<float>{_mm512_scalef_ps(fraction.raw, exponent.raw)};
}
HWY_INLINE Vec<double> scale_flushed(Vec<double> fraction, Vec<double> exponent) {
  return Vec<double>{_mm512_scalef_pd(fraction.raw, exponent.raw)};
}

// The same, 0 where exponent is below kLowestExponent: arithmetic on subnormal numbers is a hundred
// times slower.
HWY_INLINE Vec<float> scale_by_power(Vec<float> fraction, Vec<float> exponent) {
  const auto lowest = hn::Set(Tag<float>(), MathConstants<float>::kLowestExponent);
  const __mmask16 keep = _mm512_cmp_ps_mask(exponent.raw, lowest.raw, _CMP_NLT_UQ);
  return Vec<float>{_mm512_maskz_scalef_ps(keep, fraction.raw, exponent.raw)};
}
HWY_INLINE Vec<double> scale_by_power(Vec<double> fraction, Vec<double> exponent) {
  const auto lowest = hn::Set(Tag<double>(), MathConstants<double>::kLowestExponent);
  const __mmask8 keep = _mm512_cmp_pd_mask(exponent.raw, lowest.raw, _CMP_NLT_UQ);
  return Vec<double>{_mm512_maskz_scalef_pd(keep, fraction.raw, exponent.raw)};
}

// x less the integer nearest to it; of an infinity 0.
HWY_INLINE Vec<float> beyond_nearest(Vec<float> x) {
  return Vec<float>{_mm512_reduce_ps(x.raw, 0)};
}
HWY_INLINE Vec<double> beyond_nearest(Vec<double> x) {
  return Vec<double>{_mm512_reduce_pd(x.raw, 0)};
}
#else
// fraction * 2^n, as (2 fraction) * 2^(n - 1), since 2^n may be out of range where the product is
// not; 0 for the n one below kLowestExponent.
template <typename Acc>
HWY_INLINE Vec<Acc> scale_by_power(Vec<Acc> fraction, const Integer<Acc>& n) {
  const hn::RebindToUnsigned<Tag<Acc>> du;
  const auto bits = hn::ShiftLeft<MathConstants<Acc>::kMantissaBits>(hn::BitCast(du, n.shifted));
  return hn::Mul(hn::Add(fraction, fraction), hn::BitCast(Tag<Acc>(), bits));
}
#endif

// 2^x. Exact for integers, 2.5 ulp elsewhere; never subnormal.
template <typename Acc>
HWY_INLINE Vec<Acc> Exp2(Vec<Acc> x) {
  using Constants = MathConstants<Acc>;
  const Vec<Acc> one = hn::Set(Tag<Acc>(), Acc{1});
#if HWY_TARGET == HWY_AVX3
  const Vec<Acc> r = beyond_nearest(x);
  return scale_by_power(hn::MulAdd(polynomial<Acc>(r, Constants::kExp2), r, one), hn::Sub(x, r));
#else
  x = at_most<Acc>(at_least<Acc>(x, Constants::kExp2Lowest), Constants::kExp2Highest);
  const auto n = Integer<Acc>::nearest(x);
  const Vec<Acc> r = hn::Sub(x, n.value);
  return scale_by_power<Acc>(hn::MulAdd(polynomial<Acc>(r, Constants::kExp2), r, one), n);
#endif
}

// 2^x under FlushSubnormals.
template <typename Acc>
HWY_INLINE Vec<Acc> FlushedExp2(Vec<Acc> x) {
#if HWY_TARGET == HWY_AVX3
  const Vec<Acc> one = hn::Set(Tag<Acc>(), Acc{1});
  const Vec<Acc> r = beyond_nearest(x);
  const Vec<Acc> fraction = hn::MulAdd(polynomial<Acc>(r, MathConstants<Acc>::kExp2), r, one);
  return scale_flushed(fraction, hn::Sub(x, r));
#else
  return Exp2<Acc>(x);
#endif
}

// e^x, 2.5 ulp; never subnormal.
template <typename Acc>
HWY_INLINE Vec<Acc> Exp(Vec<Acc> x) {
  using Constants = MathConstants<Acc>;
  const Tag<Acc> d;
  const Vec<Acc> log2e = hn::Set(d, Constants::kLog2E), one = hn::Set(d, Acc{1});
  x = at_most<Acc>(at_least<Acc>(x, Constants::kExpLowest), Constants::kExpHighest);
  const auto n = Integer<Acc>::nearest_product(x, log2e);
  Vec<Acc> r = hn::NegMulAdd(n.value, hn::Set(d, Constants::kLn2High), x);
  r = hn::NegMulAdd(n.value, hn::Set(d, Constants::kLn2Low), r);
  Vec<Acc> fraction;
  if constexpr (std::is_same_v<Acc, float>) {
    fraction = hn::MulAdd(polynomial<Acc>(r, Constants::kExp), r, one);
  } else {
    r = hn::Mul(r, log2e);
    fraction = hn::MulAdd(polynomial<Acc>(r, Constants::kExp2), r, one);
  }
#if HWY_TARGET == HWY_AVX3
  return scale_by_power(fraction, n.value);
#else
  return scale_by_power<Acc>(fraction, n);
#endif
}

// log1p(w) / w for w in [0, 1], 2.5 ulp.
template <typename Acc>
HWY_INLINE Vec<Acc> Log1pRatio(Vec<Acc> w) {
  const Tag<Acc> d;
  if constexpr (std::is_same_v<Acc, float>) {
    return polynomial<Acc>(w, MathConstants<Acc>::kLog1p);
  } else {
    const Vec<Acc> denominator = hn::Add(w, hn::Set(d, Acc{2}));
    const Vec<Acc> s = hn::Div(w, denominator);
    const Vec<Acc> s2 = hn::Mul(s, s);
    const Vec<Acc> twice = hn::Div(hn::Set(d, Acc{2}), denominator);
    return hn::MulAdd(hn::Mul(twice, s2), polynomial<Acc>(s2, MathConstants<Acc>::kAtanh), twice);
  }
}

// log2(x) for x >= 0, 2 ulp; log2(0) = -inf.
template <typename Acc>
HWY_INLINE Vec<Acc> Log2(Vec<Acc> x) {
  using Constants = MathConstants<Acc>;
  const Tag<Acc> d;
  const hn::RebindToSigned<Tag<Acc>> di;
  using Int = hn::TFromD<decltype(di)>;
  const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());

  const auto subnormal = hn::Lt(x, hn::Set(d, std::numeric_limits<Acc>::min()));
  const auto normal =
      hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, Constants::kSubnormalScale)), x);
  const auto base = hn::Set(di, static_cast<Int>(Constants::kSqrtHalfBits));
  const auto offset = hn::Sub(hn::BitCast(di, normal), base);
  const auto mantissa_mask = hn::Set(di, (Int{1} << Constants::kMantissaBits) - 1);
  // normal = m * 2^exponent with m in [sqrt(1/2), sqrt(2)).
  const auto m = hn::BitCast(d, hn::Add(hn::And(offset, mantissa_mask), base));
  auto exponent = hn::ConvertTo(d, hn::ShiftRight<Constants::kMantissaBits>(offset));
  exponent =
      hn::Add(exponent, hn::IfThenElseZero(subnormal, hn::Set(d, Constants::kSubnormalExponent)));

  const auto f = hn::Sub(m, hn::Set(d, Acc{1}));
  Vec<Acc> result;
  if constexpr (std::is_same_v<Acc, float>) {
    result = hn::MulAdd(polynomial<Acc>(f, Constants::kLog2), f, exponent);
  } else {
    const auto s = hn::Div(f, hn::Add(f, hn::Set(d, Acc{2})));
    const auto s2 = hn::Mul(s, s);
    const auto ratio = hn::MulAdd(s2, polynomial<Acc>(s2, Constants::kAtanh), hn::Set(d, Acc{1}));
    result = hn::MulAdd(hn::Mul(s, ratio), hn::Set(d, 2 * Constants::kLog2E), exponent);
  }
  result = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), result);
  return hn::IfThenElse(hn::Lt(x, infinity), result, x);
}

// log(1 + e^x) as max(x, 0) + w * ratio with w = e^-|x|, ratio = log1p(w) / w: the parts serve for
// its logarithm too.
template <typename Acc>
struct SoftplusParts {
  Vec<Acc> x, w, ratio;

  HWY_INLINE explicit SoftplusParts(Vec<Acc> value) : SoftplusParts(value, exponential(value)) {}
  HWY_INLINE SoftplusParts(Vec<Acc> value, Vec<Acc> exponential_of_value)
      : x(value), w(exponential_of_value), ratio(Log1pRatio<Acc>(w)) {}

  // e^-|x|.
  static HWY_INLINE Vec<Acc> exponential(Vec<Acc> x) { return Exp<Acc>(hn::Neg(hn::Abs(x))); }

  HWY_INLINE Vec<Acc> softplus() const {
    return hn::MulAdd(w, ratio, hn::Max(hn::Zero(Tag<Acc>()), x));
  }

  // softplus = scaled * 2^scale_exponent with scaled >= log 2, also where softplus underflows.
  HWY_INLINE Vec<Acc> scaled() const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(Tag<Acc>())), ratio, softplus());
  }
  HWY_INLINE Vec<Acc> scale_exponent() const {
    const Tag<Acc> d;
    const Vec<Acc> log2e = hn::Set(d, MathConstants<Acc>::kLog2E);
    return hn::IfThenElseZero(hn::Lt(x, hn::Zero(d)), hn::Mul(x, log2e));
  }
};

// 4 ulp.
template <typename Acc>
HWY_INLINE Vec<Acc> Softplus(Vec<Acc> x) {
  return SoftplusParts<Acc>(x).softplus();
}

// x * sigmoid(x), 4 ulp, or within 128 smallest normal numbers; 0 for -inf.
template <typename Acc>
HWY_INLINE Vec<Acc> Silu(Vec<Acc> x) {
  const Tag<Acc> d;
  const Vec<Acc> one = hn::Set(d, Acc{1});
#if HWY_TARGET == HWY_AVX3
  // Dividing takes as long as all the rest: Newton's step from an estimate of 14 bits does not.
  if constexpr (std::is_same_v<Acc, float>) {
    const auto lowest = hn::Set(d, -87.0f);
    const auto y = hn::Add(one, Exp<Acc>(hn::Min(hn::Neg(lowest), hn::Neg(x))));
    const auto estimate = hn::ApproximateReciprocal(y);
    const auto sigmoid = hn::MulAdd(hn::NegMulAdd(y, estimate, one), estimate, estimate);
    return hn::IfThenZeroElse(hn::Lt(x, lowest), hn::Mul(x, sigmoid));
  }
#endif
  x = at_least<Acc>(x, std::numeric_limits<Acc>::lowest());
  return hn::Div(x, hn::Add(one, Exp<Acc>(hn::Neg(x))));
}

}  // namespace simba::kernels::HWY_NAMESPACE
