// Storage types of tensors as the kernels see them, and the type each is computed in.
#pragma once

#include <cstdint>

namespace simba::kernels {

// Bits of a bfloat16 (1 sign, 8 exponent, 7 mantissa). Arithmetic is never done in it.
struct BFloat16 {
  std::uint16_t bits;
};

// Bits of an IEEE binary16. Arithmetic is never done in it.
struct Float16 {
  std::uint16_t bits;
};

template <typename T>
struct AccumulateTypeOf {
  using type = float;
};
template <>
struct AccumulateTypeOf<double> {
  using type = double;
};

// The type of states, sums, parameters (A, D, biases, norm and conv weights) and scores for data of
// type T: float for the three float types of at most 32 bits, double for double.
template <typename T>
using AccumulateType = typename AccumulateTypeOf<T>::type;

}  // namespace simba::kernels
