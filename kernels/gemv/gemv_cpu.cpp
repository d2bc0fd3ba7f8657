#include "kernels/gemv/gemv.h"
#include "kernels/scalar.h"

namespace simba::kernels {

template <typename T>
void gemv_cpu(const GemvParams<T>& params, std::int64_t begin, std::int64_t end) {
  for (std::int64_t m = begin; m < end; ++m) {
    const T* weight = params.weight + m * params.inner;
    for (std::int64_t s = 0; s < params.rows; ++s) {
      params.out[s * params.outer + m] =
          round_to<T>(dot(params.x + s * params.inner, weight, params.inner));
    }
  }
}

template void gemv_cpu(const GemvParams<float>&, std::int64_t, std::int64_t);
template void gemv_cpu(const GemvParams<double>&, std::int64_t, std::int64_t);
template void gemv_cpu(const GemvParams<BFloat16>&, std::int64_t, std::int64_t);
template void gemv_cpu(const GemvParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
