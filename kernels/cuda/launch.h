// Sizes of one-dimensional grids.
#pragma once

#include <cstdint>

namespace simba::kernels {

inline constexpr std::int64_t kMaxGridBlocks = 0x7fffffff;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Whether count * blocks_each blocks fit one grid; neither is negative.
constexpr bool fits_grid(std::int64_t count, std::int64_t blocks_each) {
  return blocks_each == 0 || count <= kMaxGridBlocks / blocks_each;
}

// The grid of a kernel that takes further items in turn where there are more than one grid holds.
constexpr unsigned grid_blocks(std::int64_t items) {
  return static_cast<unsigned>(items < kMaxGridBlocks ? items : kMaxGridBlocks);
}

}  // namespace simba::kernels
