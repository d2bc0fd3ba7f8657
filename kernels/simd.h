// Vectors of channels: loads that widen storage types to the type computed in, stores that round
// back, and scratch memory. For the per-target sources only; everything lies in Highway's namespace
// of the target or is always inlined, so that no object shares machine code with another target's.
#pragma once

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include "kernels/cpu_target.h"
#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

static_assert((CpuTarget::SIMBA_CPU_TARGET == CpuTarget::kAvx512) == (HWY_TARGET == HWY_AVX3) &&
                  (CpuTarget::SIMBA_CPU_TARGET == CpuTarget::kAvx2) == (HWY_TARGET == HWY_AVX2),
              "the compiler's -march (with -maes -mpclmul) must match SIMBA_CPU_TARGET");

// One vector of Acc (float or double), and its number of lanes.
template <typename Acc>
using Tag = hn::ScalableTag<Acc>;
template <typename Acc>
using Vec = hn::Vec<Tag<Acc>>;
template <typename Acc>
inline constexpr std::int64_t kLanes = hn::MaxLanes(Tag<Acc>());

// Uninitialised, aligned scratch memory.
template <typename T>
class Scratch {
 public:
  HWY_INLINE explicit Scratch(std::int64_t count)
      : data_(static_cast<T*>(::operator new (static_cast<std::size_t>(count) * sizeof(T),
                                              std::align_val_t{kAlignment}))) {}
  HWY_INLINE ~Scratch() { ::operator delete (data_, std::align_val_t{kAlignment}); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  HWY_INLINE T* get() const { return data_; }
  HWY_INLINE T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  static constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector

  T* data_;
};

// While it lives, this thread takes subnormal numbers for 0 and makes none, where the processor
// can: arithmetic on them is a hundred times slower, and a state without input decays into them.
class FlushSubnormals {
 public:
#if HWY_ARCH_X86
  HWY_INLINE FlushSubnormals() : control_(_mm_getcsr()) { _mm_setcsr(control_ | kFlush); }
  HWY_INLINE ~FlushSubnormals() { _mm_setcsr(control_); }
#else
  HWY_INLINE FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

#if HWY_ARCH_X86
 private:
  static constexpr unsigned kFlush = 0x8040;  // results and operands

  unsigned control_;
#endif
};

// The float values of bits of a storage type held in 32-bit lanes, and back, rounded to nearest
// even. A NaN stays a NaN.
template <typename T>
HWY_INLINE Vec<float> widen_bits(hn::Vec<hn::Rebind<std::uint32_t, Tag<float>>> bits) {
  const Tag<float> d;
  const hn::Rebind<std::uint32_t, Tag<float>> du;
  if constexpr (std::is_same_v<T, BFloat16>) {
    return hn::BitCast(d, hn::ShiftLeft<16>(bits));
  } else {
    // Shifted into place a binary16 reads as a float of exponent bias 15; the product moves it to
    // 127. What was infinite or NaN needs the exponent filled; a subnormal one is an integer.
    const auto magnitude = hn::And(bits, hn::Set(du, 0x7FFFu));
    const auto shifted = hn::BitCast(d, hn::ShiftLeft<13>(magnitude));
    const auto scaled = hn::Mul(shifted, hn::Set(d, 0x1p112f));
    const auto special = hn::Ge(scaled, hn::Set(d, 65536.0f));
    const auto filled = hn::Or(hn::BitCast(du, scaled), hn::Set(du, 0x7F800000u));
    const hn::Rebind<std::int32_t, Tag<float>> di;
    const auto subnormal =
        hn::Mul(hn::ConvertTo(d, hn::BitCast(di, magnitude)), hn::Set(d, 0x1p-24f));
    const auto small = hn::Lt(subnormal, hn::Set(d, 0x1p-14f));
    const auto value =
        hn::IfThenElse(small, subnormal, hn::IfThenElse(special, hn::BitCast(d, filled), scaled));
    const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000u)));
    return hn::Or(value, hn::BitCast(d, sign));
  }
}

template <typename T>
HWY_INLINE hn::Vec<hn::Rebind<std::uint32_t, Tag<float>>> round_to_bits(Vec<float> value) {
  const Tag<float> d;
  const hn::Rebind<std::uint32_t, Tag<float>> du;
  const auto bits = hn::BitCast(du, value);
  const auto one = hn::Set(du, 1u);
  if constexpr (std::is_same_v<T, BFloat16>) {
    const auto odd = hn::And(hn::ShiftRight<16>(bits), one);
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFFu))));
    const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(du, 0x40u));
    return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(value)), quiet, rounded);
  } else {
    const auto magnitude = hn::Abs(value);
    const auto magnitude_bits = hn::BitCast(du, magnitude);
    const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude_bits));
    // Normal results: rebias the exponent by -112 and round away 13 bits, ties to even.
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude_bits), one);
    const auto normal = hn::ShiftRight<13>(
        hn::Add(magnitude_bits, hn::Add(odd, hn::Set(du, 0xFFFu - (112u << 23)))));
    // Subnormal results: adding 0.5, whose last place is 2^-24, lets the adder round.
    const auto half = hn::Set(d, 0.5f);
    const auto subnormal =
        hn::Sub(hn::BitCast(du, hn::Add(magnitude, half)), hn::BitCast(du, half));
    const auto small = hn::RebindMask(du, hn::Lt(magnitude, hn::Set(d, 0x1p-14f)));
    auto result = hn::IfThenElse(small, subnormal, normal);
    const auto overflow = hn::RebindMask(du, hn::Ge(magnitude, hn::Set(d, 65520.0f)));
    result = hn::IfThenElse(overflow, hn::Set(du, 0x7C00u), result);
    const auto nan = hn::RebindMask(du, hn::IsNaN(value));
    result = hn::IfThenElse(nan, hn::Set(du, 0x7E00u), result);
    return hn::Or(result, sign);
  }
}

// A whole vector from p, which needs no alignment.
template <typename Acc, typename T>
HWY_INLINE Vec<Acc> load_full(const T* p) {
  if constexpr (std::is_same_v<T, Acc>) {
    return hn::LoadU(Tag<Acc>(), p);
  } else {
    const hn::Rebind<std::uint16_t, Tag<float>> narrow;
    const hn::Rebind<std::uint32_t, Tag<float>> wide;
    const auto bits = hn::LoadU(narrow, &p->bits);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
    if constexpr (std::is_same_v<T, Float16>) {
      return hn::PromoteTo(Tag<float>(),
                           hn::BitCast(hn::Rebind<hwy::float16_t, Tag<float>>(), bits));
    }
#endif
    return widen_bits<T>(hn::PromoteTo(wide, bits));
  }
}

template <typename Acc, typename T>
HWY_INLINE void store_full(Vec<Acc> value, T* p) {
  if constexpr (std::is_same_v<T, Acc>) {
    hn::StoreU(value, Tag<Acc>(), p);
  } else {
    const hn::Rebind<std::uint16_t, Tag<float>> narrow;
    const hn::Rebind<std::int32_t, Tag<float>> wide;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
    if constexpr (std::is_same_v<T, Float16>) {
      const hn::Rebind<hwy::float16_t, Tag<float>> half;
      return hn::StoreU(hn::BitCast(narrow, hn::DemoteTo(half, value)), narrow, &p->bits);
    }
#endif
    hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(wide, round_to_bits<T>(value))), narrow, &p->bits);
  }
}

// The first `count` elements at p (at most a vector's), the lanes beyond them 0. Touches no memory
// beyond those elements.
template <typename Acc, typename T>
HWY_INLINE Vec<Acc> load_lanes(const T* p, std::int64_t count) {
  if (HWY_LIKELY(count >= kLanes<Acc>)) return load_full<Acc>(p);
  T lanes[kLanes<Acc>] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load_full<Acc>(lanes);
}

template <typename Acc, typename T>
HWY_INLINE void store_lanes(Vec<Acc> value, T* p, std::int64_t count) {
  if (HWY_LIKELY(count >= kLanes<Acc>)) return store_full<Acc>(value, p);
  T lanes[kLanes<Acc>];
  store_full<Acc>(value, lanes);
  for (std::int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

// Asks for `count` elements of each of the rows [t, t + steps): rows of a block of channels lie too
// far apart for the processor to see that the next ones are to come.
template <typename T>
HWY_INLINE void prefetch_rows(const Rows<T>& rows, std::int64_t batch, std::int64_t t,
                              std::int64_t steps, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  for (std::int64_t k = 0; k < steps; ++k) {
    const T* row = rows.row(batch, t + k) + first;
    for (std::int64_t i = 0; i < count; i += kLine) hwy::Prefetch(row + i);
  }
}

}  // namespace simba::kernels::HWY_NAMESPACE
