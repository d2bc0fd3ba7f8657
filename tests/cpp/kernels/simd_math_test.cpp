#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/cpp/kernels/simd_math_values.h"
#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

using Exact = long double;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename Run>
void on_target(CpuTarget target, const Run& run) {
  switch (target) {
#if defined(__x86_64__)
    case CpuTarget::kAvx512:
      return run.template operator()<CpuTarget::kAvx512>();
    case CpuTarget::kAvx2:
      return run.template operator()<CpuTarget::kAvx2>();
#endif
    default:
      return run.template operator()<CpuTarget::kBaseline>();
  }
}

template <typename Acc>
std::vector<Acc> values_of(CpuTarget target, Function function, const std::vector<Acc>& in) {
  std::vector<Acc> out(in.size());
  on_target(target, [&]<CpuTarget kTarget>() {
    evaluate<kTarget>(function, in.data(), out.data(), static_cast<std::int64_t>(in.size()));
  });
  return out;
}

struct Sweep {
  const char* name;
  Function function;
  Exact (*exact)(Exact);
  double low, high;  // swept evenly
  double ulp;        // bound for float and double
};

Exact softplus(Exact x) { return std::max(x, Exact{0}) + std::log1p(std::exp(-std::abs(x))); }
Exact log2_softplus(Exact x) { return x < -40 ? x / std::log(Exact{2}) : std::log2(softplus(x)); }
Exact log1p_ratio(Exact w) { return w == 0 ? 1 : std::log1p(w) / w; }
Exact exp2_exact(Exact x) { return std::exp2(x); }
Exact exp_exact(Exact x) { return std::exp(x); }
Exact log2_exact(Exact x) { return std::log2(x); }
Exact silu(Exact x) { return x / (1 + std::exp(-x)); }

const Sweep kSweeps[] = {
    {"Exp2 near 0", Function::kExp2, exp2_exact, -2, 2, 2.5},
    {"Exp2", Function::kExp2, exp2_exact, -140, 130, 2.5},
    {"FlushedExp2 near 0", Function::kFlushedExp2, exp2_exact, -2, 2, 2.5},
    {"FlushedExp2", Function::kFlushedExp2, exp2_exact, -140, 130, 2.5},
    {"Exp near 0", Function::kExp, exp_exact, -2, 2, 2.5},
    {"Exp", Function::kExp, exp_exact, -100, 90, 2.5},
    {"Log2 near 1", Function::kLog2, log2_exact, 0.5, 2, 2},
    {"Log2", Function::kLog2, log2_exact, 0, 1e6, 2},
    {"Log1pRatio", Function::kLog1pRatio, log1p_ratio, 0, 1, 2.5},
    {"Softplus near 0", Function::kSoftplus, softplus, -2, 2, 4},
    {"Softplus", Function::kSoftplus, softplus, -90, 100, 4},
    {"Log2Softplus", Function::kLog2Softplus, log2_softplus, -1000, 1000, 4},
    {"Silu near 0", Function::kSilu, silu, -2, 2, 4},
    {"Silu", Function::kSilu, silu, -90, 100, 4},
};

// The error in units of the last place of the exact value; of the smallest normal number below
// that. Logarithms near 0 are held to the absolute error of their neighbourhood of 1.
template <typename Acc>
double error_ulp(const Sweep& sweep, Acc got, Exact exact) {
  using Limits = std::numeric_limits<Acc>;
  if (std::abs(exact) > static_cast<Exact>(Limits::max())) {
    return std::isinf(got) && (got > 0) == (exact > 0) ? 0 : kInfinity;
  }
  if (std::isinf(exact)) return static_cast<Exact>(got) == exact ? 0 : kInfinity;
  const Exact error = std::abs(static_cast<Exact>(got) - exact);
  const Exact smallest =
      static_cast<Exact>(Limits::min()) * (sweep.function == Function::kSilu ? 128 : 2);
  if (std::abs(exact) < smallest) return error <= smallest ? 0 : kInfinity;
  Exact scale = std::abs(exact);
  if (sweep.function == Function::kLog2 || sweep.function == Function::kLog2Softplus) {
    scale = std::max(scale, Exact{1});
  }
  return static_cast<double>(error / (std::exp2(std::floor(std::log2(scale))) * Limits::epsilon()));
}

template <typename Acc>
struct SweepPoints {
  std::vector<Acc> in;
  std::vector<Exact> exact;
};

// Made once for all targets: the exact values take longest.
template <typename Acc>
const SweepPoints<Acc>& points_of(std::size_t sweep) {
  constexpr int kPoints = 400'001;
  static std::vector<SweepPoints<Acc>> all(std::size(kSweeps));
  SweepPoints<Acc>& points = all[sweep];
  if (!points.in.empty()) return points;
  const auto [name, function, exact, low, high, ulp] = kSweeps[sweep];
  for (int i = 0; i < kPoints; ++i) {
    points.in.push_back(static_cast<Acc>(low + (high - low) * i / (kPoints - 1)));
    points.exact.push_back(exact(points.in.back()));
  }
  return points;
}

template <typename Acc>
void check_sweeps(CpuTarget target) {
  for (std::size_t s = 0; s < std::size(kSweeps); ++s) {
    const Sweep& sweep = kSweeps[s];
    const auto& [in, exact] = points_of<Acc>(s);
    const std::vector<Acc> out = values_of(target, sweep.function, in);
    double worst = 0;
    Acc where = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double error = error_ulp(sweep, out[i], exact[i]);
      if (!(error <= worst)) worst = error, where = in[i];
    }
    EXPECT_LE(worst, sweep.ulp) << sweep.name << " at " << where;
    ::testing::Test::RecordProperty(sweep.name, std::to_string(worst));
  }
}

template <typename Acc>
void check_special_values(CpuTarget target) {
  using Limits = std::numeric_limits<Acc>;
  const auto one = [target](Function function, double x) -> double {
    return values_of<Acc>(target, function, {static_cast<Acc>(x)})[0];
  };
  for (double x = -100; x <= 100; ++x) EXPECT_EQ(one(Function::kExp2, x), std::exp2(x)) << x;
  for (Function f :
       {Function::kExp2, Function::kFlushedExp2, Function::kExp, Function::kSoftplus}) {
    for (double x : {-kInfinity, -1e30, -2000.0, static_cast<double>(Limits::lowest())}) {
      EXPECT_EQ(one(f, x), 0) << x;
    }
    EXPECT_EQ(one(f, kInfinity), kInfinity);
    EXPECT_TRUE(std::isnan(one(f, std::nan(""))));
  }
  for (Function f : {Function::kExp2, Function::kFlushedExp2, Function::kExp}) {
    for (double x : {2000.0, 1e30, static_cast<double>(Limits::max())}) {
      EXPECT_EQ(one(f, x), kInfinity) << x;
    }
  }
  EXPECT_EQ(one(Function::kSoftplus, 1e30), static_cast<Acc>(1e30));

  EXPECT_EQ(one(Function::kLog2, 1), 0);
  EXPECT_EQ(one(Function::kLog2, 0), -kInfinity);
  EXPECT_EQ(one(Function::kLog2, -0.0), -kInfinity);
  EXPECT_EQ(one(Function::kLog2, kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(one(Function::kLog2, std::nan(""))));
  EXPECT_EQ(one(Function::kLog2, Limits::min()), Limits::min_exponent - 1);
  EXPECT_EQ(one(Function::kLog2, Limits::denorm_min()),
            Limits::min_exponent - 1 - (Limits::digits - 1));

  EXPECT_EQ(one(Function::kLog2Softplus, -kInfinity), -kInfinity);
  EXPECT_EQ(one(Function::kLog2Softplus, kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(one(Function::kLog2Softplus, std::nan(""))));

  EXPECT_EQ(one(Function::kSilu, 0), 0);
  EXPECT_EQ(one(Function::kSilu, kInfinity), kInfinity);
  EXPECT_EQ(one(Function::kSilu, -kInfinity), 0);
  EXPECT_EQ(one(Function::kSilu, Limits::lowest()), 0);
  EXPECT_EQ(one(Function::kSilu, Limits::max()), static_cast<double>(Limits::max()));
  EXPECT_TRUE(std::isnan(one(Function::kSilu, std::nan(""))));
}

// Every one of the 65536 numbers widens right and rounds back to itself; what lies between two
// rounds to the nearer, or to the even one.
template <typename T>
void check_storage(CpuTarget target) {
  std::vector<T> all(65536);
  for (int i = 0; i < 65536; ++i) all[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> wide(all.size());
  on_target(target, [&]<CpuTarget kTarget>() { widen<kTarget>(all.data(), wide.data(), 65536); });

  std::vector<float> in = wide;
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const double exact = to_double(all[i]);
    ASSERT_EQ(std::isnan(exact), std::isnan(wide[i])) << i;
    if (std::isnan(exact)) continue;
    ASSERT_EQ(exact, wide[i]) << i;
    ASSERT_EQ(std::signbit(exact), std::signbit(wide[i])) << i;
    if (!std::isfinite(exact) || (i & 0x7FFF) == 0) continue;
    // Half way to the next number outwards, and the floats on both sides of it.
    const double next = to_double(T{static_cast<std::uint16_t>(i + 1)});
    const double beyond = std::isinf(next) ? 2 * exact - to_double(all[i - 1]) : next;
    const auto middle = static_cast<float>((exact + beyond) / 2);
    for (float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 2 * middle)}) {
      in.push_back(x);
    }
  }
  in.push_back(std::numeric_limits<float>::max());
  in.push_back(std::numeric_limits<float>::denorm_min());
  std::vector<T> out(in.size());
  on_target(target, [&]<CpuTarget kTarget>() {
    round_to<kTarget>(in.data(), out.data(), static_cast<std::int64_t>(in.size()));
  });
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (std::isnan(in[i])) {
      ASSERT_TRUE(std::isnan(to_double(out[i]))) << i;
    } else {
      ASSERT_EQ(out[i].bits, from_double<T>(in[i]).bits) << in[i];
    }
  }
}

using SimdMath = OnEveryTarget;

TEST_P(SimdMath, ErrorsOverSweepsFloat) { check_sweeps<float>(GetParam()); }
TEST_P(SimdMath, ErrorsOverSweepsDouble) { check_sweeps<double>(GetParam()); }
TEST_P(SimdMath, SpecialValuesFloat) { check_special_values<float>(GetParam()); }
TEST_P(SimdMath, SpecialValuesDouble) { check_special_values<double>(GetParam()); }
TEST_P(SimdMath, StorageBFloat16) { check_storage<BFloat16>(GetParam()); }
TEST_P(SimdMath, StorageFloat16) { check_storage<Float16>(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Target, SimdMath, ::testing::ValuesIn(supported_targets()), target_name);

}  // namespace
}  // namespace simba::kernels::testing
