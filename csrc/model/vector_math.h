// exp, sine and cosine of LibTorch on a CPU that are the same in every process.
#pragma once

#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>

#include <mutex>

namespace simba {

// MKL, which computes them, chooses a function's kernel at its first call. Where several threads
// make that call together, as for a tensor of some thousand numbers, one of them may be given a
// kernel of low accuracy for its part: e^x 4e-5 off, in one process of a hundred to a thousand (MKL
// 2024.2, pytorch/pytorch#188792). This makes the first calls from one thread; for before the
// others. Does nothing after the first time. Thread-safe.
inline void settle_vector_math() {
  static std::once_flag settled;
  std::call_once(settled, [] {
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      const at::Tensor one = at::ones({1}, at::TensorOptions(dtype).device(at::kCPU));
      at::exp(one);
      at::sin(one);
      at::cos(one);
    }
  });
}

}  // namespace simba
