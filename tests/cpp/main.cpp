#include <gtest/gtest.h>

#include "csrc/model/order_of_sums.h"

int main(int argc, char** argv) {
  simba::fix_order_of_sums();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
