// The fields of a protobuf message, one after the other (protobuf.dev/programming-guides/encoding).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace simba {

struct ProtobufField {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  // of a varint, or the bits of a number of fixed size
  std::string_view bytes;   // of a string or message
  bool has_bytes = false;
};

// Removes a varint from the front of `message`; nothing where it breaks off.
inline std::optional<std::uint64_t> take_varint(std::string_view& message) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !message.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(message.front());
    message.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// Removes a field from the front of `message`; nothing where that is damaged.
inline std::optional<ProtobufField> take_field(std::string_view& message) {
  const std::optional<std::uint64_t> tag = take_varint(message);
  if (!tag) return std::nullopt;
  ProtobufField field;
  field.number = *tag >> 3;
  std::uint64_t size = 0;
  switch (*tag & 7) {
    case 0: {
      const std::optional<std::uint64_t> value = take_varint(message);
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case 1:
      size = 8;
      break;
    case 2: {
      const std::optional<std::uint64_t> length = take_varint(message);
      if (!length) return std::nullopt;
      size = *length;
      field.has_bytes = true;
      break;
    }
    case 5:
      size = 4;
      break;
    default:
      return std::nullopt;
  }
  if (size > message.size()) return std::nullopt;
  if (field.has_bytes) {
    field.bytes = message.substr(0, size);
  } else {
    for (std::uint64_t i = 0; i < size; ++i) {
      field.value |= std::uint64_t{static_cast<unsigned char>(message[i])} << (8 * i);
    }
  }
  message.remove_prefix(size);
  return field;
}

}  // namespace simba
