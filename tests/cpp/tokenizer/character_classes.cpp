// Writes the classes of all code points, one byte each, for tests/python/tokenizer.
#include <cstdio>

#include "csrc/tokenizer/character_class.h"

int main() {
  return std::fwrite(simba::character_classes(), 1, 0x110000, stdout) == 0x110000 ? 0 : 1;
}
