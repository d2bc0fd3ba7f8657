// Writers of the three formats, byte by byte, so that a test can break any one rule: pickles
// (protocol 2), zip archives and safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba::test {

std::string little_endian(std::uint64_t value, int width);

// Pickle fragments. Each pushes one value.
namespace pickled {
std::string text(std::string_view value);
std::string integer(std::int64_t value);
std::string global(const std::string& module, const std::string& name);
std::string tuple(const std::vector<std::string>& items);
std::string integers(const std::vector<std::int64_t>& items);
std::string dict(const std::vector<std::string>& keys_and_values);
std::string ordered_dict();
std::string call(const std::string& callable, const std::vector<std::string>& args);
std::string storage(const std::string& type, const std::string& key, std::int64_t elements);
std::string tensor(const std::string& storage, std::int64_t offset,
                   const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides);
std::string stream(const std::string& value);  // PROTO value STOP
}  // namespace pickled

struct ZipEntry {
  std::string name;
  std::string data;
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::string local_name = {};  // where it differs from the name
  std::uint64_t claimed = 0;    // a size in the directory other than the data's
  std::size_t misaligned = 0;   // bytes that the data lies beyond a multiple of 8
};
std::string zip_archive(const std::vector<ZipEntry>& entries, bool zip64 = false);

std::string safetensors(std::string_view header, std::string_view data);

// Whole files of contiguous CPU tensors.
std::string torch_archive(const NamedTensors& tensors);
std::string safetensors(const NamedTensors& tensors);

std::string bytes_of(const at::Tensor& tensor);

}  // namespace simba::test
