#include "kernels/cuda/path.h"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace simba::kernels {
namespace {

std::optional<CudaPath> forced_path;

CudaPath choose_path() {
  const char* wanted = std::getenv("SIMBA_CUDA_PATH");
  if (!wanted || std::string_view(wanted) == "fast") return CudaPath::kFast;
  if (std::string_view(wanted) == "portable") return CudaPath::kPortable;
  throw std::runtime_error("SIMBA_CUDA_PATH: expected portable or fast, got '" +
                           std::string(wanted) + "'");
}

}  // namespace

CudaPath cuda_path() {
  if (forced_path) return *forced_path;
  static const CudaPath chosen = choose_path();
  return chosen;
}

void force_cuda_path(std::optional<CudaPath> path) { forced_path = path; }

}  // namespace simba::kernels
