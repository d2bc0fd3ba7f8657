// Tests of every kernel a launcher may choose (kernels/cuda/path.h), and of how near their results
// come to the best a storage type allows.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <vector>

#include "kernels/cuda/path.h"
#include "tests/cpp/kernels_cuda/storage.h"

namespace simba::kernels {

// Calls run() with the portable kernels forced, then with the fast ones wherever they take the
// arguments.
template <typename Run>
void for_each_path(const Run& run) {
  struct Restore {
    ~Restore() { force_cuda_path(std::nullopt); }
  } restore;
  {
    SCOPED_TRACE("portable");
    force_cuda_path(CudaPath::kPortable);
    run();
  }
  SCOPED_TRACE("fast");
  force_cuda_path(CudaPath::kFast);
  run();
}

// For 16-bit T, whose rounding is far coarser than float arithmetic: the norm of the results' error
// is that of rounding the exact results to T.
template <typename T>
void expect_norm_error_of_rounding(const std::vector<double>& actual,
                                   const std::vector<double>& expected) {
  if (sizeof(T) != 2) return;
  const std::vector<double> best = rounded<T>(expected);
  double error = 0, best_error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(best[i])) continue;
    error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    best_error += (best[i] - expected[i]) * (best[i] - expected[i]);
  }
  EXPECT_LE(std::sqrt(error), 1.01 * std::sqrt(best_error));
}

}  // namespace simba::kernels
