// Unsigned integers in the order of scores: NaN lowest, -0 equal to 0.
#pragma once

#include <cstdint>

namespace simba::kernels {

__device__ inline std::uint32_t key_bits(float value) { return __float_as_uint(value); }
__device__ inline std::uint64_t key_bits(double value) {
  return static_cast<std::uint64_t>(__double_as_longlong(value));
}

// NaN gets 0, which is below the key of -inf.
template <typename Acc>
__device__ auto score_key(Acc score) {
  using Key = decltype(key_bits(score));
  constexpr Key kSign = Key(1) << (8 * sizeof(Key) - 1);
  if (score != score) return Key(0);
  const Key bits = key_bits(score == Acc(0) ? Acc(0) : score);
  return bits & kSign ? static_cast<Key>(~bits) : static_cast<Key>(bits | kSign);
}

}  // namespace simba::kernels
