#include "kernels/cuda/path.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace simba::kernels {
namespace {

// What a fresh process makes of SIMBA_CUDA_PATH=value: exit code 0 and the path's number on stderr,
// or 2 and the message.
[[noreturn]] void choose_with(const char* value) {
  setenv("SIMBA_CUDA_PATH", value, 1);
  try {
    std::fprintf(stderr, "path %d", static_cast<int>(cuda_path()));
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::exit(2);
  }
  std::exit(0);
}

TEST(CudaPathDeathTest, EnvironmentNamesThePath) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(choose_with("portable"), testing::ExitedWithCode(0),
              "path " + std::to_string(static_cast<int>(CudaPath::kPortable)));
  EXPECT_EXIT(choose_with("fast"), testing::ExitedWithCode(0),
              "path " + std::to_string(static_cast<int>(CudaPath::kFast)));
}

TEST(CudaPathDeathTest, UnknownNameIsAnError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(choose_with("quick"), testing::ExitedWithCode(2),
              "SIMBA_CUDA_PATH: expected portable or fast, got 'quick'");
}

TEST(CudaPath, ForceAndTakeBack) {
  const CudaPath chosen = cuda_path();
  for (const CudaPath path : {CudaPath::kPortable, CudaPath::kFast}) {
    force_cuda_path(path);
    EXPECT_EQ(cuda_path(), path);
  }
  force_cuda_path(std::nullopt);
  EXPECT_EQ(cuda_path(), chosen);
}

}  // namespace
}  // namespace simba::kernels
