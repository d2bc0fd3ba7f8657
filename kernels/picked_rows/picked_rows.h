// The inverse of row indices: for each of the L source rows of a batch row, the output rows that
// were picked from it. Indices may repeat and need no order.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace simba::kernels {

// for (r = first(b, l); r < rows; r = next(b, r)) visits the output rows of source row l,
// ascending.
struct PickedRows {
  std::int64_t sources = 0;                 // L
  std::int64_t rows = 0;                    // R
  const std::int64_t* heads = nullptr;      // (B, L); nullptr: row l was picked once, as row l
  const std::int64_t* followers = nullptr;  // (B, R)

  SIMBA_HOST_DEVICE std::int64_t first(std::int64_t b, std::int64_t l) const {
    return heads ? heads[b * sources + l] : l;
  }
  SIMBA_HOST_DEVICE std::int64_t next(std::int64_t b, std::int64_t r) const {
    return followers ? followers[b * rows + r] : rows;
  }
};

// How to find them: fills heads (B, L) and followers (B, R) from indices (B, R), each in [0, L). A
// row that is not picked, and the last of those picked from one row, lead to R.
struct LinkPickedRowsParams {
  std::int64_t batch = 0;                 // B
  std::int64_t sources = 0;               // L
  std::int64_t rows = 0;                  // R
  const std::int64_t* indices = nullptr;  // (B, R) contiguous
  std::int64_t* heads = nullptr;          // (B, L)
  std::int64_t* followers = nullptr;      // (B, R)
};

void link_picked_rows_cpu(const LinkPickedRowsParams& params);

}  // namespace simba::kernels
