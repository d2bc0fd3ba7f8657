// Products of one row of a weight with S rows of x, shared among the lanes of one or several warps.
#pragma once

#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// kCount elements as floats: in one access, or (kCount = 1) whatever the alignment.
template <typename T, int kCount>
struct Elements {
  Packet<T, kCount> packet;
  __device__ void load(const T* from) { packet = load_packet<kCount>(from); }
  __device__ void values(float (&to)[kCount]) const { unpack(packet, to); }
};
template <typename T>
struct Elements<T, 1> {
  T element;
  __device__ void load(const T* from) { element = *from; }
  __device__ void values(float (&to)[1]) const { to[0] = to_accumulate(element); }
};

// A lane's part of one row: elements [kCount * lane + i * kCount * lanes, + kCount), i = 0, 1, ...
// It can begin before x is there: fetch() loads the first kAhead of them.
template <typename T, int kCount, int kRows>
class RowProduct {
 public:
  static constexpr int kAhead = 4;

  __device__ RowProduct(const T* weight_row, std::int64_t inner, int lane, int lanes)
      : weight_(weight_row), inner_(inner), first_(lane * kCount), step_(lanes * kCount) {}

  __device__ void fetch() { fetch_from(first_); }

  // Adds this lane's part of the products with rows s of x, x_stride apart, to sums[s]. Rows from
  // `rows` on are not read.
  __device__ void add(const T* x, std::int64_t x_stride, int rows, float (&sums)[kRows]) {
    for (std::int64_t base = first_; base < inner_; base += kAhead * step_) {
      Elements<T, kCount> now[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) now[i] = ahead_[i];
      fetch_from(base + kAhead * step_);
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        const std::int64_t at = base + i * step_;
        if (at < inner_) multiply(now[i], x + at, x_stride, rows, sums);
      }
    }
  }

 private:
  __device__ void fetch_from(std::int64_t base) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const std::int64_t at = base + i * step_;
      if (at < inner_) ahead_[i].load(weight_ + at);
    }
  }

  __device__ static void multiply(const Elements<T, kCount>& weight, const T* x,
                                  std::int64_t x_stride, int rows, float (&sums)[kRows]) {
    float w[kCount];
    weight.values(w);
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      if (s < rows) {
        Elements<T, kCount> elements;
        elements.load(x + s * x_stride);
        float values[kCount];
        elements.values(values);
#pragma unroll
        for (int i = 0; i < kCount; ++i) sums[s] += w[i] * values[i];
      }
    }
  }

  const T* weight_;
  std::int64_t inner_, first_, step_;
  Elements<T, kCount> ahead_[kAhead];
};

}  // namespace simba::kernels
