#include "kernels/cuda/architectures.h"

namespace simba::kernels {

const char* compiled_architectures() { return SIMBA_CUDA_ARCHITECTURES; }

}  // namespace simba::kernels
