// Several neighbouring elements of a row, moved in accesses of 4, 8 or 16 bytes and computed in
// float.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

#include "kernels/cuda/warp.cuh"
#include "kernels/dtype.h"

namespace simba::kernels {

// Elements of T in 16 bytes, the widest access of a thread.
template <typename T>
inline constexpr int kWideElements = 16 / sizeof(T);

// kCount elements as they lie in memory: 4 bytes, 8 or a multiple of 16, moved in as few accesses.
template <typename T, int kCount>
struct alignas(kCount * sizeof(T) < 16 ? kCount * sizeof(T) : 16) Packet {
  static constexpr int kWords = kCount * sizeof(T) / 4;
  static_assert(kWords == 1 || kWords == 2 || kWords % 4 == 0);
  std::uint32_t words[kWords];
};

template <int kCount, typename T>
__device__ inline Packet<T, kCount> load_packet(const T* from) {
  Packet<T, kCount> packet;
  if constexpr (packet.kWords == 1) {
    packet.words[0] = *reinterpret_cast<const std::uint32_t*>(from);
  } else if constexpr (packet.kWords == 2) {
    const uint2 pair = *reinterpret_cast<const uint2*>(from);
    packet.words[0] = pair.x;
    packet.words[1] = pair.y;
  } else {
#pragma unroll
    for (int i = 0; i < packet.kWords; i += 4) {
      const uint4 quad = reinterpret_cast<const uint4*>(from)[i / 4];
      packet.words[i] = quad.x;
      packet.words[i + 1] = quad.y;
      packet.words[i + 2] = quad.z;
      packet.words[i + 3] = quad.w;
    }
  }
  return packet;
}

// In assembly, since the compiler takes some of these accesses apart.
template <typename T, int kCount>
__device__ inline void store_packet(const Packet<T, kCount>& packet, T* to) {
  const std::size_t address = __cvta_generic_to_global(to);
  const std::uint32_t(&words)[packet.kWords] = packet.words;
  static_assert(packet.kWords > 1);
  if constexpr (packet.kWords == 2) {
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(address), "r"(words[0]), "r"(words[1])
                 : "memory");
  } else {
#pragma unroll
    for (int i = 0; i < packet.kWords; i += 4) {
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(address + 4 * i), "r"(words[i]),
                   "r"(words[i + 1]), "r"(words[i + 2]), "r"(words[i + 3])
                   : "memory");
    }
  }
}

// The elements of one 32-bit word. From float: to nearest, ties to even. max_or_nan: element by
// element, NaN where either is NaN.
template <typename T>
struct Word;

template <typename Pair>
__device__ inline std::uint32_t larger_or_nan(std::uint32_t a, std::uint32_t b) {
  Pair pairs[2];
  std::memcpy(&pairs[0], &a, sizeof(a));
  std::memcpy(&pairs[1], &b, sizeof(b));
  const Pair larger = __hmax2_nan(pairs[0], pairs[1]);
  std::memcpy(&a, &larger, sizeof(a));
  return a;
}

template <>
struct Word<float> {
  __device__ static void unpack(std::uint32_t word, float* values) {
    values[0] = __uint_as_float(word);
  }
  __device__ static std::uint32_t pack(const float* values) { return __float_as_uint(values[0]); }

  static constexpr std::uint32_t kMagnitude = 0x7fffffffu, kLowest = 0xff800000u;  // -inf
  __device__ static std::uint32_t max_or_nan(std::uint32_t a, std::uint32_t b) {
    return __float_as_uint(kernels::max_or_nan(__uint_as_float(a), __uint_as_float(b)));
  }
};

template <>
struct Word<BFloat16> {
  __device__ static void unpack(std::uint32_t word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xffff0000u);
  }
  __device__ static std::uint32_t pack(const float* values) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(values[0], values[1]);
    std::uint32_t word;
    std::memcpy(&word, &pair, sizeof(word));
    return word;
  }

  static constexpr std::uint32_t kMagnitude = 0x7fff7fffu, kLowest = 0xff80ff80u;
  __device__ static std::uint32_t max_or_nan(std::uint32_t a, std::uint32_t b) {
    return larger_or_nan<__nv_bfloat162>(a, b);
  }
};

template <>
struct Word<Float16> {
  __device__ static void unpack(std::uint32_t word, float* values) {
    __half2 pair;
    std::memcpy(&pair, &word, sizeof(word));
    const float2 both = __half22float2(pair);
    values[0] = both.x;
    values[1] = both.y;
  }
  __device__ static std::uint32_t pack(const float* values) {
    const __half2 pair = __floats2half2_rn(values[0], values[1]);
    std::uint32_t word;
    std::memcpy(&word, &pair, sizeof(word));
    return word;
  }

  static constexpr std::uint32_t kMagnitude = 0x7fff7fffu, kLowest = 0xfc00fc00u;
  __device__ static std::uint32_t max_or_nan(std::uint32_t a, std::uint32_t b) {
    return larger_or_nan<__half2>(a, b);
  }
};

template <typename T, int kCount>
__device__ inline void unpack(const Packet<T, kCount>& packet, float (&values)[kCount]) {
  constexpr int kPerWord = 4 / sizeof(T);
#pragma unroll
  for (int i = 0; i < Packet<T, kCount>::kWords; ++i) {
    Word<T>::unpack(packet.words[i], values + i * kPerWord);
  }
}

template <typename T, int kCount>
__device__ inline Packet<T, kCount> pack(const float (&values)[kCount]) {
  constexpr int kPerWord = 4 / sizeof(T);
  Packet<T, kCount> packet;
#pragma unroll
  for (int i = 0; i < Packet<T, kCount>::kWords; ++i) {
    packet.words[i] = Word<T>::pack(values + i * kPerWord);
  }
  return packet;
}

}  // namespace simba::kernels
