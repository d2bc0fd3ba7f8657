// How kernels address tensors: rows of a (B, L, C) tensor, and the sequences laid over its (B, L)
// plane.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace simba::kernels {

// A (B, L, C) tensor whose last dimension is contiguous. Strides are in elements; all offsets are
// 64-bit. data == nullptr stands for an optional tensor that is absent.
template <typename T>
struct Rows {
  T* data = nullptr;
  std::int64_t batch_stride = 0;
  std::int64_t row_stride = 0;

  SIMBA_HOST_DEVICE T* row(std::int64_t batch, std::int64_t position) const {
    return data + batch * batch_stride + position * row_stride;
  }
  SIMBA_HOST_DEVICE explicit operator bool() const { return data != nullptr; }
};

// The S sequences of a batch. Unpacked (cu_seqlens == nullptr): S = B, sequence s is the whole of
// batch row s. Packed: B = 1, sequence s covers positions [cu_seqlens[s], cu_seqlens[s + 1]) of row
// 0. cu_seqlens (S + 1, int32) lies on the device that runs the kernel.
struct Sequences {
  std::int64_t count = 0;   // S
  std::int64_t length = 0;  // L: of every sequence when unpacked, of row 0 when packed
  const std::int32_t* cu_seqlens = nullptr;

  SIMBA_HOST_DEVICE std::int64_t batch(std::int64_t s) const { return cu_seqlens ? 0 : s; }
  SIMBA_HOST_DEVICE std::int64_t begin(std::int64_t s) const {
    return cu_seqlens ? cu_seqlens[s] : 0;
  }
  SIMBA_HOST_DEVICE std::int64_t end(std::int64_t s) const {
    return cu_seqlens ? cu_seqlens[s + 1] : length;
  }
};

}  // namespace simba::kernels
