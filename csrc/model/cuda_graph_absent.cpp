#include "csrc/input_error.h"
#include "csrc/model/cuda_graph.h"

namespace simba {

bool can_capture() { return false; }

Capture cuda_capture() {
  throw InputError("CUDA graphs: this build of simba has no CUDA, or its LibTorch has none");
}

}  // namespace simba
