// What operators demand of their arguments. A violation throws std::invalid_argument (ValueError in
// Python) with one line: "OP: ARGUMENT must be EXPECTED, got ACTUAL".
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "kernels/views.h"

namespace simba::ops {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using OptionalTensor = std::optional<Tensor>;

// float64 for float64 data, float32 for the three narrower float types.
inline ScalarType accumulate_type(ScalarType data) {
  return data == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

class Checks {
 public:
  explicit Checks(const char* op) : op_(op) {}

  [[noreturn]] void fail(const std::string& message) const;
  // "NAME must be EXPECTED, got ACTUAL".
  [[noreturn]] void fail(const char* name, const std::string& expected,
                         const std::string& actual) const;

  // `symbols` spells the dimensions, "(B, L, D)".
  void rank(const char* name, const Tensor& tensor, std::int64_t dims, const char* symbols) const;
  void shape(const char* name, const Tensor& tensor, const char* symbols,
             std::initializer_list<std::int64_t> sizes) const;

  void dtype(const char* name, const Tensor& tensor, ScalarType expected) const;
  // float32, float64, bfloat16 or float16.
  void data_dtype(const char* name, const Tensor& tensor) const;
  // Of the operators whose CUDA kernels leave float64 out.
  void no_float64_on_gpu(const char* name, const Tensor& tensor) const;
  void same_device(const char* name, const Tensor& tensor, const char* other_name,
                   const Tensor& other) const;
  // Element stride 1 in the last dimension; the other strides are free.
  void last_dimension_contiguous(const char* name, const Tensor& tensor) const;

  // The tensor that decides dtype and device of all others: rank, data dtype, last stride.
  void leading(const char* name, const Tensor& tensor, std::int64_t dims,
               const char* symbols) const;
  // Another data tensor: shape, dtype and device of `lead`, last stride.
  void data(const char* name, const Tensor& tensor, const char* symbols,
            std::initializer_list<std::int64_t> sizes, const char* lead_name,
            const Tensor& lead) const;
  void data(const char* name, const OptionalTensor& tensor, const char* symbols,
            std::initializer_list<std::int64_t> sizes, const char* lead_name,
            const Tensor& lead) const;
  // A parameter (A, D, biases, weights): shape, device of `lead`, any of the data dtypes.
  void parameter(const char* name, const Tensor& tensor, const char* symbols,
                 std::initializer_list<std::int64_t> sizes, const char* lead_name,
                 const Tensor& lead) const;
  void parameter(const char* name, const OptionalTensor& tensor, const char* symbols,
                 std::initializer_list<std::int64_t> sizes, const char* lead_name,
                 const Tensor& lead) const;
  // A recurrent state: shape, device of `lead`, exactly `dtype`.
  void state(const char* name, const OptionalTensor& tensor, const char* symbols,
             std::initializer_list<std::int64_t> sizes, ScalarType dtype, const char* lead_name,
             const Tensor& lead) const;

  // The sequences over a (batch, length) plane. cu_seqlens must be (S + 1) int32 on the device of
  // `lead` with batch = 1; that it starts at 0, never falls and ends at `length` is checked on the
  // CPU only (on a GPU that would wait for the device).
  kernels::Sequences sequences(const OptionalTensor& cu_seqlens, std::int64_t batch,
                               std::int64_t length, const char* lead_name,
                               const Tensor& lead) const;

  // Row indices (B, K) int64 into `length` rows, on the device of `lead`; their range is checked on
  // the CPU only.
  void indices(const Tensor& indices, std::int64_t batch, std::int64_t length,
               const char* lead_name, const Tensor& lead) const;

 private:
  const char* op_;
};

}  // namespace simba::ops
