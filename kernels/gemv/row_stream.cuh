// Products of the rows of a weight with few rows of x, bounded by the stream of the weight. A row
// is cut into segments, one to a warp, which has those of some rows on their way to its registers;
// they can be asked for before x is there. Each lane adds in ascending order, then
// the lanes are added, then the segments: an order that depends on K alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// Of a block; several rows of x take the registers of twice as many.
template <int kRows>
inline constexpr int kStreamWarps = kRows == 1 ? 16 : 8;
// Times kStreamTogether, rows of a warp whose segments are on their way.
inline constexpr int kStreamAhead = 2;
// Of a lane in a segment. The widths of the published models are 3, 4 or 5 times a power of two, so
// that 5 leave few of them without work.
inline constexpr int kStreamPackets = 5;
inline constexpr int kSegmentPackets = kStreamPackets * kWarpSize;
template <typename T>
inline constexpr int kSegmentElements = int{kWideElements<T>} * kSegmentPackets;
// K may be a multiple of kWideElements up to this.
template <typename T>
inline constexpr std::int64_t kStreamLongest = std::int64_t{kSegmentElements<T>} * kStreamWarps<2>;

// Rows of weight that a warp multiplies at once: with several rows of x, two share the work of
// unpacking those.
template <int kRows>
inline constexpr int kStreamTogether = kRows > 1 ? 2 : 1;

// How the rows of a weight are shared among blocks, and each among warps.
struct RowSplit {
  int segments;
  int groups;      // of `segments` warps in a block, each a row or kStreamTogether at a time
  int block_rows;  // of a block
  unsigned blocks;

  unsigned threads() const { return static_cast<unsigned>(groups * segments * kWarpSize); }
  // Of the sums, with kRows rows of x.
  template <int kRows>
  std::size_t sum_bytes() const {
    return sizeof(float) * block_rows * segments * kRows;
  }
};

// Shared memory for the sums of every segment of a block's rows.
inline constexpr std::int64_t kStreamSumBytes = 32 * 1024;

// A block to a multiprocessor, or more where their sums would not fit.
template <typename T, int kRows>
RowSplit split_rows(std::int64_t inner, std::int64_t outer, int processors) {
  constexpr int kTogether = kStreamTogether<kRows>;
  const std::int64_t segments = std::max<std::int64_t>(ceil_div(inner, kSegmentElements<T>), 1);
  const std::int64_t fitting = kStreamSumBytes / (segments * kRows * sizeof(float));
  std::int64_t rows = std::min(ceil_div(outer, processors), fitting);
  // So few that smaller blocks do as well, which find room beside the kernel before.
  if (rows <= 2 * kTogether) rows = kTogether;
  RowSplit split{};
  split.segments = static_cast<int>(segments);
  split.groups =
      static_cast<int>(std::min(kStreamWarps<kRows> / segments, ceil_div(rows, kTogether)));
  split.block_rows = static_cast<int>(rows);
  split.blocks = static_cast<unsigned>(ceil_div(outer, rows));
  return split;
}

// A packet of a weight, which no kernel writes while this one runs and no thread reads twice: L1 is
// left to other things. Zeros, reading nothing, where it does not exist.
template <typename T>
__device__ inline Packet<T, kWideElements<T>> load_once(const T* from, bool exists) {
  Packet<T, kWideElements<T>> packet = {};
  const std::size_t address = __cvta_generic_to_global(from);
  asm volatile(
      "{.reg .pred exists;\n"
      "setp.ne.b32 exists, %5, 0;\n"
      "@exists ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];}"
      : "+r"(packet.words[0]), "+r"(packet.words[1]), "+r"(packet.words[2]), "+r"(packet.words[3])
      : "l"(address), "r"(static_cast<int>(exists)));
  return packet;
}

// One thread's part in the products of a block's `count` rows with at most kRows rows of x.
template <typename T, int kRows>
class RowStream {
 public:
  // `weight` is the block's first row.
  __device__ RowStream(const T* weight, std::int64_t inner, int count, const RowSplit& split)
      : inner_(static_cast<int>(inner)),
        segments_(split.segments),
        segment_(static_cast<int>(threadIdx.x) / kWarpSize % split.segments),
        stride_(split.groups * kTogether) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
    const int group = static_cast<int>(threadIdx.x) / kWarpSize / split.segments;
    const int packets = inner_ / kWide, each = (packets + segments_ - 1) / segments_;
    const int before = segment_ * each;
    first_row_ = group * kTogether;
    count_ = group < split.groups ? count : 0;
    first_ = (before + lane) * kWide;
    left_ = min(each, packets - before) - lane;
    weight_ = weight + first_;
  }

  // Asks for the first rows, before x is there.
  __device__ void fetch() {
#pragma unroll
    for (int d = 0; d < kStreamAhead; ++d) load(ahead_[d], first_row_ + d * stride_);
  }

  // x: `rows` rows, x_stride apart. The lane keeps its part of a single one. There are not
  // registers enough for several: they are read anew for all rows of weight, best from shared
  // memory.
  __device__ void take(const T* x, int x_stride, int rows) {
    if constexpr (kRows == 1) {
#pragma unroll
      for (int k = 0; k < kStreamPackets; ++k) {
        if (exists(k)) x_[k] = load_packet<kWide>(x + first_ + k * kStep);
      }
    } else {
#pragma unroll
      for (int s = 0; s < kRows; ++s) x_[s] = x + first_ + min(s, rows - 1) * x_stride;
    }
  }

  // Writes the sums of this warp's segments; stream_sum adds them after the block's next barrier.
  __device__ void multiply(float* sums) {
#pragma unroll 1
    for (int begin = first_row_; begin < count_; begin += kStreamAhead * stride_) {
#pragma unroll
      for (int d = 0; d < kStreamAhead; ++d) {
        const int row = begin + d * stride_;
        if (row >= count_) break;
        float products[kTogether][kRows];
        multiply(ahead_[d], products);
        store(products, row, sums);
        // Not before, or the compiler puts it amid the products, which takes many more registers.
        load(ahead_[d], row + kStreamAhead * stride_);
      }
    }
  }

 private:
  static constexpr int kWide = kWideElements<T>;
  static constexpr int kTogether = kStreamTogether<kRows>;
  using Segments = Packet<T, kWide>[kTogether][kStreamPackets];

  // From one packet of a lane to the next.
  static constexpr int kStep = kWarpSize * kWide;
  __device__ bool exists(int k) const { return k * kWarpSize < left_; }

  __device__ Packet<T, kWide> packet_of_x(int s, int k) const {
    if constexpr (kRows == 1) {
      return x_[k];
    } else {
      Packet<T, kWide> packet = {};
      if (exists(k)) packet = load_packet<kWide>(x_[s] + k * kStep);
      return packet;
    }
  }

  __device__ void load(Segments& to, int row) const {
#pragma unroll
    for (int j = 0; j < kTogether; ++j) {
      const T* from = weight_ + static_cast<std::int64_t>(row + j) * inner_;
#pragma unroll
      for (int k = 0; k < kStreamPackets; ++k) {
        to[j][k] = load_once(from + k * kStep, row + j < count_ && exists(k));
      }
    }
  }

  __device__ void multiply(const Segments& weight, float (&products)[kTogether][kRows]) const {
    float sums[kTogether][kRows][2] = {};  // of even and odd elements
#pragma unroll
    for (int k = 0; k < kStreamPackets; ++k) {
      float w[kTogether][kWide];
#pragma unroll
      for (int j = 0; j < kTogether; ++j) unpack(weight[j][k], w[j]);
#pragma unroll
      for (int s = 0; s < kRows; ++s) {
        float x[kWide];
        unpack(packet_of_x(s, k), x);
#pragma unroll
        for (int j = 0; j < kTogether; ++j) {
#pragma unroll
          for (int i = 0; i < kWide; ++i) {
            sums[j][s][i % 2] = fmaf(w[j][i], x[i], sums[j][s][i % 2]);
          }
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kTogether; ++j) {
#pragma unroll
      for (int s = 0; s < kRows; ++s) products[j][s] = sums[j][s][0] + sums[j][s][1];
    }
  }

  __device__ void store(const float (&products)[kTogether][kRows], int row, float* sums) const {
#pragma unroll
    for (int j = 0; j < kTogether; ++j) {
#pragma unroll
      for (int s = 0; s < kRows; ++s) {
        const float sum = warp_sum(products[j][s]);
        if (threadIdx.x % kWarpSize == 0 && row + j < count_) {
          sums[((row + j) * segments_ + segment_) * kRows + s] = sum;
        }
      }
    }
  }

  const T* weight_;
  const int inner_, segments_, segment_, stride_;
  int first_row_, count_;
  int first_;  // this lane's first element of a row
  int left_;   // packets of the segment from it on
  Segments ahead_[kStreamAhead] = {};
  std::conditional_t<kRows == 1, Packet<T, kWide>[kStreamPackets], const T* [kRows]> x_ = {};
};

// The product of a block's row with row s of x.
template <int kRows>
__device__ inline float stream_sum(const float* sums, int segments, int row, int s) {
  float sum = 0;
  for (int i = 0; i < segments; ++i) sum += sums[(row * segments + i) * kRows + s];
  return sum;
}

}  // namespace simba::kernels
