# LibTorch from a given path (SIMBA_TORCH_DIR) or from the Python at hand, as imported targets:
#   simba::torch         classic LibTorch: torch, torch_cpu, c10 (with a CUDA LibTorch also c10_cuda, torch_cuda)
#   simba::torch_stable  the stable ABI alone, for the operator library
# find_package(Torch) is not used: that of a CUDA wheel demands a CUDA toolkit even for a CPU build.
set(SIMBA_TORCH_DIR "" CACHE PATH "Folder of LibTorch (holds include/ and lib/); empty: ask python3")

if(NOT SIMBA_TORCH_DIR)
  find_package(Python QUIET COMPONENTS Interpreter)
  if(Python_FOUND)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
              "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '', end='')"
      OUTPUT_VARIABLE _simba_torch ERROR_QUIET)
    # Not cached: the folder may next be configured for another Python.
    set(SIMBA_TORCH_DIR "${_simba_torch}")
  endif()
endif()
if(NOT EXISTS "${SIMBA_TORCH_DIR}/include/torch/csrc/stable/library.h")
  message(FATAL_ERROR
    "LibTorch 2.11 or newer not found (SIMBA_TORCH_DIR='${SIMBA_TORCH_DIR}'). Install torch for the Python that "
    "CMake finds, or pass -DSIMBA_TORCH_DIR=<folder with include/ and lib/>.")
endif()

add_library(simba_torch_stable INTERFACE)
add_library(simba::torch_stable ALIAS simba_torch_stable)
target_include_directories(simba_torch_stable SYSTEM INTERFACE "${SIMBA_TORCH_DIR}/include")
# The oldest torch that the operator library runs on. It makes every classic header an error.
target_compile_definitions(simba_torch_stable INTERFACE TORCH_TARGET_VERSION=0x020b000000000000)
target_link_libraries(simba_torch_stable INTERFACE "${SIMBA_TORCH_DIR}/lib/libtorch_cpu.so")

add_library(simba_torch INTERFACE)
add_library(simba::torch ALIAS simba_torch)
target_include_directories(simba_torch SYSTEM INTERFACE
  "${SIMBA_TORCH_DIR}/include" "${SIMBA_TORCH_DIR}/include/torch/csrc/api/include")
foreach(_lib torch torch_cpu c10 c10_cuda torch_cuda)
  if(EXISTS "${SIMBA_TORCH_DIR}/lib/lib${_lib}.so")
    target_link_libraries(simba_torch INTERFACE "${SIMBA_TORCH_DIR}/lib/lib${_lib}.so")
  endif()
endforeach()
message(STATUS "LibTorch: ${SIMBA_TORCH_DIR}")
