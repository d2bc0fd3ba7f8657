// What the tests of the decoding kernels share: the products, and the types that they take.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/dtype.h"
#include "tests/cpp/kernels_cuda/storage.h"

namespace simba::kernels {

// x (S, K) times the transpose of weight (M, K), exactly.
inline std::vector<double> product(const std::vector<double>& x, const std::vector<double>& weight,
                                   std::int64_t rows, std::int64_t inner, std::int64_t outer) {
  std::vector<double> out(rows * outer);
  for (std::int64_t s = 0; s < rows; ++s) {
    for (std::int64_t m = 0; m < outer; ++m) {
      for (std::int64_t k = 0; k < inner; ++k) {
        out[s * outer + m] += x[s * inner + k] * weight[m * inner + k];
      }
    }
  }
  return out;
}

// Calls run.operator()<T>() for the types of decoding.
template <typename Run>
void for_each_decoding_type(const Run& run) {
  const auto traced = [&]<typename T>(const char* name) {
    SCOPED_TRACE(name);
    run.template operator()<T>();
  };
  traced.template operator()<float>("float32");
  traced.template operator()<BFloat16>("bfloat16");
  traced.template operator()<Float16>("float16");
}

}  // namespace simba::kernels
