// Cases of a device that is absent are not collected: without a GPU none are listed or run, and
// their count is printed.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <iostream>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::cerr << "no CUDA device: " << testing::UnitTest::GetInstance()->total_test_count()
              << " cases of kernels_cuda left out\n";
    GTEST_FLAG_SET(filter, "-*");
  }
  return RUN_ALL_TESTS();
}
