# simba_kernels_cuda: the CUDA kernels, one .cu per operator. The portable kernels run from sm_75 on.
# compiled_architectures() names what is compiled in: "sm_80, sm_90, PTX of compute_90".
set(_simba_architectures)
set(_simba_newer)
foreach(_architecture ${CMAKE_CUDA_ARCHITECTURES})
  if(NOT _architecture MATCHES "^[0-9]+[a-z]?-virtual$")
    string(REGEX REPLACE "^([0-9]+[a-z]?).*" "sm_\\1" _name "${_architecture}")
    list(APPEND _simba_architectures "${_name}")
  endif()
  if(NOT _architecture MATCHES "-real$")
    string(REGEX REPLACE "^([0-9]+[a-z]?).*" "compute_\\1" _name "${_architecture}")
    set(_simba_newer ", PTX of ${_name}")
  endif()
endforeach()
string(REPLACE ";" ", " _simba_architectures "${_simba_architectures}")

add_library(simba_kernels_cuda STATIC
  add_norm/add_norm_portable.cu
  causal_conv1d/causal_conv1d_portable.cu
  cuda/architectures.cpp
  gate/gate_portable.cu
  influence_scores/influence_scores_portable.cu
  select_tokens/select_tokens_portable.cu
  selective_scan/selective_scan_portable.cu
  selective_state_update/selective_state_update_portable.cu)
target_compile_options(simba_kernels_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-lineinfo>")
set_source_files_properties(cuda/architectures.cpp PROPERTIES COMPILE_DEFINITIONS
  "SIMBA_CUDA_ARCHITECTURES=\"${_simba_architectures}${_simba_newer}\"")
target_link_libraries(simba_kernels_cuda PUBLIC simba_options CUDA::cudart_static)
