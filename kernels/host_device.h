// Marks a function that both host compilers and nvcc's device pass may call.
#pragma once

#ifdef __CUDACC__
#define SIMBA_HOST_DEVICE __host__ __device__
#else
#define SIMBA_HOST_DEVICE
#endif
