#include <algorithm>

#include "kernels/picked_rows/picked_rows.h"

namespace simba::kernels {

void link_picked_rows_cpu(const std::int64_t* indices, std::int64_t batch, std::int64_t sources,
                          std::int64_t rows, std::int64_t* heads, std::int64_t* followers) {
  std::fill_n(heads, batch * sources, rows);
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t r = rows - 1; r >= 0; --r) {
      std::int64_t& head = heads[b * sources + indices[b * rows + r]];
      followers[b * rows + r] = head;
      head = r;
    }
  }
}

}  // namespace simba::kernels
