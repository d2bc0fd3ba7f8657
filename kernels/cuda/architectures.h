// What the CUDA kernels were compiled for.
#pragma once

namespace simba::kernels {

// One line for error messages, such as "sm_80, sm_90, PTX of compute_90".
const char* compiled_architectures();

}  // namespace simba::kernels
