// Packets of 8 neighbouring elements on their way from global to shared memory (cp.async), one of
// each lane of a warp, which reads only what it has copied itself; and from registers to rows.
#pragma once

#include <cstdint>

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/views.h"

namespace simba::kernels {

// Where a lane's packets begin: bytes of a 4-byte word before them, or kAlignedRows where all rows
// begin at multiples of 16 bytes.
inline constexpr int kAlignedRows = -1;

template <typename T>
__device__ inline int skipped_bytes(const Rows<const T>& rows, const T* packet) {
  const auto strides = static_cast<std::uintptr_t>(rows.batch_stride | rows.row_stride) * sizeof(T);
  if ((reinterpret_cast<std::uintptr_t>(rows.data) | strides) % 16 == 0) return kAlignedRows;
  return static_cast<int>(reinterpret_cast<std::uintptr_t>(packet) % 4);
}

// kAligned: every packet lies at a multiple of 16 bytes and is whole, or is not there (left 0).
template <typename T, bool kAligned>
class alignas(16) CopiedPackets {
 public:
  // Begins to copy this lane's packet from `from` on; zeros where `left`, the elements from there
  // to the row's end, is 0.
  __device__ void copy(const T* from, int left, int /*skipped*/, bool /*last*/) {
    constexpr int kWide = kWideElements<T>;
    std::uint32_t* to = words_ + lane() * kPacketWords;
#pragma unroll
    for (int i = 0; i < kPacketWords / 4; ++i) {
      async_copy_16(to + 4 * i, from + kWide * i, left > 0);
    }
  }

  __device__ Packet<T, 8> packet(int /*skipped*/) const {
    return load_packet<8>(reinterpret_cast<const T*>(words_ + lane() * kPacketWords));
  }

 private:
  static constexpr int kPacketWords = Packet<T, 8>::kWords;
  __device__ static int lane() { return threadIdx.x % kWarpSize; }

  std::uint32_t words_[kWarpSize * kPacketWords];
};

// Rows may begin at any element: a lane copies the words that its packet touches, and puts 16-bit
// elements in place as it reads them. The first word may begin with the element before the packet.
template <typename T>
class alignas(16) CopiedPackets<T, false> {
 public:
  // left: elements from `from` to the row's end, of which the first 8 are the packet; zeros beyond.
  // last: of its sequence, so that no row need lie behind it; loads, which are waited for, since
  // compute-sanitizer takes the copy of half a word for one of a whole, beyond the tensor's end.
  __device__ void copy(const T* from, int left, int skipped, bool last) {
    const bool aligned = skipped == kAlignedRows;
    std::uint32_t* to = words_ + lane() * (aligned ? kPacketWords : kLaneWords);
    if (aligned && left >= 8) {
#pragma unroll
      for (int i = 0; i < kPacketWords; i += 4) async_copy_16(to + i, from + i * kPerWord, true);
      return;
    }
    const int before = aligned ? 0 : skipped;
    if (last) {
      auto* elements = reinterpret_cast<T*>(reinterpret_cast<char*>(to) + before);
#pragma unroll
      for (int i = 0; i < 8; ++i) elements[i] = i < left ? from[i] : T{};
      return;
    }
    const auto* begin = reinterpret_cast<const char*>(from) - before;
    const int bytes = left > 0 ? min(left, 8) * static_cast<int>(sizeof(T)) + before : 0;
#pragma unroll
    for (int i = 0; i < kLaneWords; ++i) {
      if (i == kPacketWords && aligned) break;
      async_copy_4(to + i, begin + 4 * i, max(0, min(bytes - 4 * i, 4)));
    }
  }

  __device__ Packet<T, 8> packet(int skipped) const {
    if (sizeof(T) == 4 || skipped == kAlignedRows) {
      return load_packet<8>(reinterpret_cast<const T*>(words_ + lane() * kPacketWords));
    }
    const std::uint32_t* from = words_ + lane() * kLaneWords;
    Packet<T, 8> packet;
#pragma unroll
    for (int i = 0; i < packet.kWords; ++i) {
      packet.words[i] = __funnelshift_r(from[i], from[i + 1], 8 * skipped);
    }
    return packet;
  }

 private:
  static constexpr int kPacketWords = Packet<T, 8>::kWords;
  static constexpr int kPerWord = 4 / sizeof(T);
  // An odd number for 16-bit T: no two lanes meet at a bank.
  static constexpr int kLaneWords = kPacketWords + (sizeof(T) == 4 ? 0 : 1);
  __device__ static int lane() { return threadIdx.x % kWarpSize; }

  std::uint32_t words_[kWarpSize * kLaneWords];
};

// The first `count` elements of a packet, to any place; words wherever there are whole ones.
template <typename T>
__device__ inline void store_elements(const Packet<T, 8>& packet, T* to, int count) {
  if (count == 8 && reinterpret_cast<std::uintptr_t>(to) % 16 == 0) {
    store_packet(packet, to);
  } else if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (i < count) *reinterpret_cast<std::uint32_t*>(to + i) = packet.words[i];
    }
  } else {
    // Words of the row begin with the packet's elements of this parity.
    const int odd = reinterpret_cast<std::uintptr_t>(to) % 4 != 0;
    auto* halves = reinterpret_cast<std::uint16_t*>(to);
    if (odd && count > 0) halves[0] = static_cast<std::uint16_t>(packet.words[0]);
#pragma unroll
    for (int i = 0; i < packet.kWords; ++i) {
      const std::uint32_t next = i + 1 < packet.kWords ? packet.words[i + 1] : 0;
      const std::uint32_t word = __funnelshift_r(packet.words[i], next, 16 * odd);
      const int first = 2 * i + odd;
      if (first + 1 < count) {
        *reinterpret_cast<std::uint32_t*>(halves + first) = word;
      } else if (first < count) {
        halves[first] = static_cast<std::uint16_t>(word);
      }
    }
  }
}

}  // namespace simba::kernels
