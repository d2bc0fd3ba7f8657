// PyTorch's zip format, as torch.save writes a state_dict since 1.6: PREFIX/data.pkl holds a pickle
// of the names, and PREFIX/data/KEY the elements of each storage. Storages are mapped, never
// copied.
#pragma once

#include <string>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba {

// Throws InputError on the format before 1.6, on anything that is not a dict of tensors, and on a
// damaged or hostile file.
NamedTensors read_torch_archive(const std::string& path);

}  // namespace simba
