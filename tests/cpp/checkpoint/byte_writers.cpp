#include "tests/cpp/checkpoint/byte_writers.h"

#include <stdexcept>

namespace simba::test {
namespace {

std::string storage_type(at::ScalarType dtype) {
  return std::string(c10::toString(dtype)) + "Storage";
}

std::string safetensors_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "F64";
    case at::kFloat:
      return "F32";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kLong:
      return "I64";
    case at::kInt:
      return "I32";
    default:
      throw std::invalid_argument("dtype without a name in the tests");
  }
}

std::string concatenated(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

}  // namespace

std::string little_endian(std::uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i, value >>= 8) out += static_cast<char>(value & 0xff);
  return out;
}

std::string bytes_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  return std::string(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
}

namespace pickled {

std::string text(std::string_view value) {
  return concatenated({"X", little_endian(value.size(), 4), std::string(value)});
}

std::string integer(std::int64_t value) {
  return concatenated({"\x8a\x08", little_endian(static_cast<std::uint64_t>(value), 8)});
}

std::string global(const std::string& module, const std::string& name) {
  return concatenated({"c", module, "\n", name, "\n"});
}

std::string tuple(const std::vector<std::string>& items) {
  return concatenated({"(", concatenated(items), "t"});
}

std::string integers(const std::vector<std::int64_t>& items) {
  std::vector<std::string> parts;
  for (const std::int64_t item : items) parts.push_back(integer(item));
  return tuple(parts);
}

std::string dict(const std::vector<std::string>& keys_and_values) {
  return concatenated({"}(", concatenated(keys_and_values), "u"});
}

std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }

std::string call(const std::string& callable, const std::vector<std::string>& args) {
  return callable + tuple(args) + "R";
}

std::string storage(const std::string& type, const std::string& key, std::int64_t elements) {
  return tuple(
             {text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) +
         "Q";
}

std::string tensor(const std::string& storage, std::int64_t offset,
                   const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides) {
  const std::string no_gradient = "\x89";
  return call(
      global("torch._utils", "_rebuild_tensor_v2"),
      {storage, integer(offset), integers(sizes), integers(strides), no_gradient, ordered_dict()});
}

std::string stream(const std::string& value) { return concatenated({"\x80\x02", value, "."}); }

}  // namespace pickled

std::string zip_archive(const std::vector<ZipEntry>& entries, bool zip64) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    const std::uint64_t size = entry.claimed != 0 ? entry.claimed : entry.data.size();
    const std::uint64_t offset = out.size();
    const std::string& local = entry.local_name.empty() ? entry.name : entry.local_name;
    const std::string fixed = little_endian(entry.flags, 2) + little_endian(entry.method, 2) +
                              little_endian(0, 8);  // time, date and checksum
    const std::string sizes = little_endian(size, 4) + little_endian(size, 4);
    // Aligns the data to 8 bytes, as torch.save does to 64.
    const std::size_t padding = 4 + (8 - (offset + 34 + local.size()) % 8) % 8 + entry.misaligned;
    out += little_endian(0x04034b50, 4) + little_endian(0, 2) + fixed + sizes +
           little_endian(local.size(), 2) + little_endian(padding, 2) + local + "FB" +
           little_endian(padding - 4, 2) + std::string(padding - 4, 'Z') + entry.data;
    const std::string extra = zip64 ? little_endian(1, 2) + little_endian(24, 2) +
                                          little_endian(size, 8) + little_endian(size, 8) +
                                          little_endian(offset, 8)
                                    : "";
    directory += little_endian(0x02014b50, 4) + little_endian(0, 4) + fixed +
                 (zip64 ? std::string(8, '\xff') : sizes) + little_endian(entry.name.size(), 2) +
                 little_endian(extra.size(), 2) + little_endian(0, 10) +
                 (zip64 ? std::string(4, '\xff') : little_endian(offset, 4)) + entry.name + extra;
  }
  const std::uint64_t start = out.size(), end = start + directory.size(), count = entries.size();
  out += directory;
  if (zip64) {
    out += little_endian(0x06064b50, 4) + little_endian(44, 8) + little_endian(0, 12) +
           little_endian(count, 8) + little_endian(count, 8) + little_endian(directory.size(), 8) +
           little_endian(start, 8);
    out += little_endian(0x07064b50, 4) + little_endian(0, 4) + little_endian(end, 8) +
           little_endian(1, 4);
  }
  const auto narrow = [&](std::uint64_t value, int width) {
    return zip64 ? std::string(static_cast<std::size_t>(width), '\xff')
                 : little_endian(value, width);
  };
  return out + little_endian(0x06054b50, 4) + little_endian(0, 4) + narrow(count, 2) +
         narrow(count, 2) + narrow(directory.size(), 4) + narrow(start, 4) + little_endian(0, 2);
}

std::string safetensors(std::string_view header, std::string_view data) {
  return little_endian(header.size(), 8) + std::string(header) + std::string(data);
}

std::string torch_archive(const NamedTensors& tensors) {
  std::vector<ZipEntry> entries;
  std::vector<std::string> items;
  for (const auto& [name, value] : tensors) {
    const std::string key = std::to_string(entries.size());
    const at::Tensor tensor = value.contiguous();
    items.push_back(pickled::text(name));
    items.push_back(
        pickled::tensor(pickled::storage(storage_type(tensor.scalar_type()), key, tensor.numel()),
                        0, tensor.sizes().vec(), tensor.strides().vec()));
    entries.push_back({.name = "model/data/" + key, .data = bytes_of(tensor)});
  }
  entries.insert(entries.begin(),
                 {.name = "model/data.pkl", .data = pickled::stream(pickled::dict(items))});
  entries.push_back({.name = "model/byteorder", .data = "little"});
  return zip_archive(entries);
}

std::string safetensors(const NamedTensors& tensors) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    std::string shape;
    for (const std::int64_t size : tensor.sizes()) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    const std::string begin = std::to_string(data.size());
    data += bytes_of(tensor);
    header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"" +
              safetensors_type(tensor.scalar_type()) + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + begin + "," + std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  return safetensors(header, data);
}

}  // namespace simba::test
