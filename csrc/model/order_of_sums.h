// Matrix products that do not depend on what runs beside them.
#pragma once

#include <cstdlib>

namespace simba {

// Asks MKL, behind LibTorch's products on a CPU, to add in one order: every row of a float32 or
// float64 product is then the same, bit for bit, whatever rows stand beside it, however many
// threads take part and however fast they are. Products take as long as before. For the begin of a
// program: MKL reads the environment at its first product, and what the user has set there stays.
// Intel oneMKL Developer Guide, "Obtaining Numerically Reproducible Results".
inline void fix_order_of_sums() { ::setenv("MKL_CBWR", "AUTO,STRICT", /*overwrite=*/0); }

}  // namespace simba
