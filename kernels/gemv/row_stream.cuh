// Products of many rows of a weight with S rows of x, where every row is 16-byte aligned: a warp
// (or several side by side, each a part of every row) reads its rows as one stream through a ring
// in shared memory, so that the reads of one row go on while another is summed.
//
// Ring: kDepth packets of every lane, 4 KiB a warp. Each lane reads only what it has copied itself,
// so the ring needs no barrier.
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

template <typename T>
struct WarpRing {
  static constexpr int kDepth = 8;
  Packet<T, kWideElements<T>> packets[kDepth][kWarpSize];
};

template <typename T, int kRows>
class RowStream {
 public:
  // The rows first, first + step, ... below end of a weight (*, inner). lane: among all lanes of a
  // row, `lanes` of them.
  __device__ RowStream(WarpRing<T>& ring, const T* weight, std::int64_t inner, std::int64_t first,
                       std::int64_t step, std::int64_t end, int lane, int lanes)
      : ring_(ring),
        inner_(static_cast<int>(inner)),
        begin_(lane * kWide),
        stride_(lanes * kWide),
        row_packets_((inner_ + stride_ - 1) / stride_),
        next_row_(first),
        row_(first),
        step_(step),
        end_(end),
        next_at_(begin_),
        weight_(weight) {
#pragma unroll
    for (int i = 0; i < WarpRing<T>::kDepth; ++i) fetch(i);
  }

  // Calls finish(row, sums) for every row, sums of this lane's part of it. x: (kRows, inner), of
  // which rows from `rows` on are not read.
  template <typename Finish>
  __device__ void run(const T* x, int rows, Finish&& finish) {
    int slot = 0;
    for (; row_ < end_; row_ += step_) {
      float sums[kRows] = {};
      int at = begin_;
      for (int i = 0; i < row_packets_; ++i, at += stride_) {
        wait_for_async_copies<WarpRing<T>::kDepth - 1>();
        if (at < inner_) multiply(ring_.packets[slot][lane()], x + at, rows, sums);
        fetch(slot);
        slot = (slot + 1) % WarpRing<T>::kDepth;
      }
      finish(row_, sums);
    }
  }

 private:
  static constexpr int kWide = kWideElements<T>;

  __device__ static int lane() { return threadIdx.x % kWarpSize; }

  // The stream's next packet; nothing, but a closed group, where it has ended.
  __device__ void fetch(int slot) {
    if (next_row_ < end_ && next_at_ < inner_) {
      async_copy_16(ring_.packets[slot][lane()].words, weight_ + next_row_ * inner_ + next_at_,
                    true);
    }
    close_async_copies();
    next_at_ += stride_;
    if (++next_packet_ == row_packets_) {
      next_packet_ = 0;
      next_at_ = begin_;
      next_row_ += step_;
    }
  }

  __device__ void multiply(const Packet<T, kWide>& packet, const T* x, int rows,
                           float (&sums)[kRows]) const {
    float weight[kWide];
    unpack(packet, weight);
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      if (s >= rows) break;
      float values[kWide];
      unpack(load_packet<kWide>(x + s * std::int64_t{inner_}), values);
#pragma unroll
      for (int i = 0; i < kWide; ++i) sums[s] += weight[i] * values[i];
    }
  }

  WarpRing<T>& ring_;
  const int inner_, begin_, stride_, row_packets_;
  std::int64_t next_row_, row_, step_, end_;
  int next_at_, next_packet_ = 0;
  const T* weight_;
};

// Rows for each block, of 1 to 4 blocks to a multiprocessor the number whose last round wastes
// least, where every warp of a block takes a row at a time.
inline std::int64_t rows_per_block(std::int64_t rows, int warps, int multiprocessors) {
  std::int64_t best = 0, least = 0;
  for (std::int64_t each = 4; each >= 1; --each) {
    const std::int64_t round = each * multiprocessors * warps;
    const std::int64_t rounds = (rows + round - 1) / round;
    if (best == 0 || rounds * round < least) {
      best = rounds * warps;
      least = rounds * round;
    }
  }
  return best;
}

}  // namespace simba::kernels
