// SHA-256 (FIPS 180-4): results name the exact files they were computed from.
#pragma once

#include <string>
#include <string_view>

namespace simba::eval {

// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

// Of a file's content, read in pieces. Throws InputError where it cannot be read.
std::string sha256_file(const std::string& path);

}  // namespace simba::eval
