#include "csrc/ops/anchor.h"

extern "C" __attribute__((visibility("default"))) int simba_ops_anchor() noexcept { return 1; }
