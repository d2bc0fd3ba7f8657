#include "csrc/ops/checks.h"

#include <algorithm>
#include <stdexcept>

namespace simba::ops {
namespace {

std::string text(const std::int64_t* sizes, std::size_t count) {
  std::string out = "(";
  for (std::size_t i = 0; i < count; ++i) out += (i ? ", " : "") + std::to_string(sizes[i]);
  return out + ")";
}

std::string text(const Tensor& tensor) {
  return text(tensor.sizes().data(), static_cast<std::size_t>(tensor.dim()));
}

std::string text(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return "float32";
    case ScalarType::Double:
      return "float64";
    case ScalarType::BFloat16:
      return "bfloat16";
    case ScalarType::Half:
      return "float16";
    case ScalarType::Int:
      return "int32";
    case ScalarType::Long:
      return "int64";
    default:
      return torch::headeronly::toString(type);
  }
}

std::string device_text(const Tensor& tensor) {
  if (tensor.is_cpu()) return "cpu";
  if (tensor.is_cuda()) return "cuda:" + std::to_string(tensor.get_device_index());
  return "another device";
}

bool is_data_dtype(ScalarType type) {
  return type == ScalarType::Float || type == ScalarType::Double || type == ScalarType::BFloat16 ||
         type == ScalarType::Half;
}

}  // namespace

void Checks::fail(const std::string& message) const {
  throw std::invalid_argument(std::string(op_) + ": " + message);
}

void Checks::fail(const char* name, const std::string& expected, const std::string& actual) const {
  fail(std::string(name) + " must be " + expected + ", got " + actual);
}

void Checks::rank(const char* name, const Tensor& tensor, std::int64_t dims,
                  const char* symbols) const {
  if (tensor.dim() != dims) {
    fail(name, std::string(symbols) + ", of " + std::to_string(dims) + " dimensions", text(tensor));
  }
}

void Checks::shape(const char* name, const Tensor& tensor, const char* symbols,
                   std::initializer_list<std::int64_t> sizes) const {
  const auto actual = tensor.sizes();
  if (actual.size() != sizes.size() || !std::equal(sizes.begin(), sizes.end(), actual.begin())) {
    fail(name, std::string(symbols) + " = " + text(sizes.begin(), sizes.size()), text(tensor));
  }
}

void Checks::dtype(const char* name, const Tensor& tensor, ScalarType expected) const {
  if (tensor.scalar_type() != expected) fail(name, text(expected), text(tensor.scalar_type()));
}

void Checks::data_dtype(const char* name, const Tensor& tensor) const {
  if (!is_data_dtype(tensor.scalar_type())) {
    fail(name, "float32, float64, bfloat16 or float16", text(tensor.scalar_type()));
  }
}

void Checks::no_float64_on_gpu(const char* name, const Tensor& tensor) const {
  if (tensor.is_cuda() && tensor.scalar_type() == ScalarType::Double) {
    fail(name, "float32, bfloat16 or float16 on a GPU", text(tensor.scalar_type()));
  }
}

void Checks::same_device(const char* name, const Tensor& tensor, const char* other_name,
                         const Tensor& other) const {
  if (tensor.device() != other.device()) {
    fail(name, "on " + device_text(other) + " like " + other_name, device_text(tensor));
  }
}

void Checks::last_dimension_contiguous(const char* name, const Tensor& tensor) const {
  if (tensor.numel() == 0) return;
  const std::int64_t last = tensor.dim() - 1;
  if (tensor.size(last) > 1 && tensor.stride(last) != 1) {
    fail(name, "contiguous in its last dimension",
         "stride " + std::to_string(tensor.stride(last)) + " there; call contiguous()");
  }
}

void Checks::leading(const char* name, const Tensor& tensor, std::int64_t dims,
                     const char* symbols) const {
  rank(name, tensor, dims, symbols);
  data_dtype(name, tensor);
  last_dimension_contiguous(name, tensor);
}

void Checks::data(const char* name, const Tensor& tensor, const char* symbols,
                  std::initializer_list<std::int64_t> sizes, const char* lead_name,
                  const Tensor& lead) const {
  same_device(name, tensor, lead_name, lead);
  shape(name, tensor, symbols, sizes);
  if (tensor.scalar_type() != lead.scalar_type()) {
    fail(name, text(lead.scalar_type()) + " like " + lead_name, text(tensor.scalar_type()));
  }
  last_dimension_contiguous(name, tensor);
}

void Checks::data(const char* name, const OptionalTensor& tensor, const char* symbols,
                  std::initializer_list<std::int64_t> sizes, const char* lead_name,
                  const Tensor& lead) const {
  if (tensor) data(name, *tensor, symbols, sizes, lead_name, lead);
}

void Checks::parameter(const char* name, const Tensor& tensor, const char* symbols,
                       std::initializer_list<std::int64_t> sizes, const char* lead_name,
                       const Tensor& lead) const {
  same_device(name, tensor, lead_name, lead);
  shape(name, tensor, symbols, sizes);
  data_dtype(name, tensor);
}

void Checks::parameter(const char* name, const OptionalTensor& tensor, const char* symbols,
                       std::initializer_list<std::int64_t> sizes, const char* lead_name,
                       const Tensor& lead) const {
  if (tensor) parameter(name, *tensor, symbols, sizes, lead_name, lead);
}

void Checks::state(const char* name, const OptionalTensor& tensor, const char* symbols,
                   std::initializer_list<std::int64_t> sizes, ScalarType expected,
                   const char* lead_name, const Tensor& lead) const {
  if (!tensor) return;
  same_device(name, *tensor, lead_name, lead);
  shape(name, *tensor, symbols, sizes);
  dtype(name, *tensor, expected);
}

kernels::Sequences Checks::sequences(const OptionalTensor& cu_seqlens, std::int64_t batch,
                                     std::int64_t length, const char* lead_name,
                                     const Tensor& lead) const {
  if (!cu_seqlens) return {.count = batch, .length = length, .cu_seqlens = nullptr};
  const char* name = "cu_seqlens";
  same_device(name, *cu_seqlens, lead_name, lead);
  dtype(name, *cu_seqlens, ScalarType::Int);
  if (cu_seqlens->dim() != 1 || cu_seqlens->numel() < 1) {
    fail(name, "(S + 1), at least one element", text(*cu_seqlens));
  }
  last_dimension_contiguous(name, *cu_seqlens);
  if (batch != 1) {
    fail(lead_name, "(1, L, ...) where cu_seqlens is given", text(lead));
  }
  const auto* offsets = static_cast<const std::int32_t*>(cu_seqlens->const_data_ptr());
  const std::int64_t count = cu_seqlens->numel() - 1;
  if (cu_seqlens->is_cpu()) {
    if (offsets[0] != 0) fail("cu_seqlens[0]", "0", std::to_string(offsets[0]));
    for (std::int64_t s = 0; s < count; ++s) {
      if (offsets[s + 1] < offsets[s]) {
        fail(name, "ascending",
             std::to_string(offsets[s]) + " before " + std::to_string(offsets[s + 1]));
      }
    }
    if (offsets[count] != length) {
      fail("cu_seqlens' last element", "L = " + std::to_string(length),
           std::to_string(offsets[count]));
    }
  }
  return {.count = count, .length = length, .cu_seqlens = offsets};
}

void Checks::indices(const Tensor& indices, std::int64_t batch, std::int64_t length,
                     const char* lead_name, const Tensor& lead) const {
  const char* name = "indices";
  same_device(name, indices, lead_name, lead);
  dtype(name, indices, ScalarType::Long);
  if (indices.dim() != 2 || indices.size(0) != batch) {
    fail(name, "(B, K) with B = " + std::to_string(batch), text(indices));
  }
  if (!indices.is_contiguous()) fail(name, "contiguous", "a strided tensor; call contiguous()");
  if (!indices.is_cpu()) return;
  const auto* values = static_cast<const std::int64_t*>(indices.const_data_ptr());
  const std::int64_t count = indices.numel();
  for (std::int64_t i = 0; i < count; ++i) {
    if (values[i] < 0 || values[i] >= length) {
      fail(name, "in [0, " + std::to_string(length) + ")", std::to_string(values[i]));
    }
  }
}

}  // namespace simba::ops
