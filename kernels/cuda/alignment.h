// Whether tensors lie where packets (packet.cuh) can be loaded and stored.
#pragma once

#include <cstdint>

#include "kernels/views.h"

namespace simba::kernels {

// Whether `count` elements at a time can be taken from `data` on; also where it is absent.
template <typename T>
bool takes_packets(const T* data, int count) {
  const std::uintptr_t bytes = count * sizeof(T) < 16 ? count * sizeof(T) : 16;
  return reinterpret_cast<std::uintptr_t>(data) % bytes == 0;
}

// The same of every row.
template <typename T>
bool takes_packets(const Rows<T>& rows, int count) {
  return takes_packets(rows.data, count) && rows.batch_stride % count == 0 &&
         rows.row_stride % count == 0;
}

}  // namespace simba::kernels
