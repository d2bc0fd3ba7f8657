// splitmix64 (Steele, Lea and Flood 2014): a bijection of 64-bit words that passes BigCrush. The
// mixer of every seeded choice here: a choice is a function of its seed and its own coordinates, so
// it depends neither on the batch nor on the order of calls.
#pragma once

#include <cstdint>

namespace simba {

inline std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace simba
