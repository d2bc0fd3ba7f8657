# simba_kernels_cuda: the CUDA kernels. The portable kernels run from sm_75 on; NAME_cuda.cpp chooses between
# an operator's portable and fast one (cuda/path.h).
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
  add_norm/add_norm_cuda.cpp
  add_norm/add_norm_fast.cu
  add_norm/add_norm_portable.cu
  add_norm_backward/add_norm_backward_cuda.cu
  add_norm_backward/norm_backward_fast.cu
  add_norm_backward/norm_backward_portable.cu
  causal_conv1d/causal_conv1d_cuda.cpp
  causal_conv1d/causal_conv1d_fast.cu
  causal_conv1d/causal_conv1d_portable.cu
  causal_conv1d_backward/causal_conv1d_backward_cuda.cu
  causal_conv1d_backward/conv_backward_fast.cu
  causal_conv1d_backward/conv_backward_portable.cu
  cuda/architectures.cpp
  cuda/path.cpp
  gate/gate_cuda.cpp
  gate/gate_fast.cu
  gate/gate_portable.cu
  gate_backward/gate_backward.cu
  gemv/gemv_cuda.cpp
  gemv/gemv_fast.cu
  gemv/gemv_portable.cu
  in_proj_step/in_proj_step_cuda.cpp
  in_proj_step/in_proj_step_fast.cu
  in_proj_step/in_proj_step_portable.cu
  influence_scores/influence_scores_cuda.cpp
  influence_scores/influence_scores_fast.cu
  influence_scores/influence_scores_portable.cu
  picked_rows/picked_rows.cu
  select_tokens/select_tokens_cuda.cpp
  select_tokens/select_tokens_fast.cu
  select_tokens/select_tokens_portable.cu
  selective_scan/selective_scan_cuda.cpp
  selective_scan/selective_scan_fast_bfloat16.cu
  selective_scan/selective_scan_fast_float.cu
  selective_scan/selective_scan_fast_float16.cu
  selective_scan/selective_scan_portable.cu
  selective_scan_backward/scan_backward_fast_bfloat16.cu
  selective_scan_backward/scan_backward_fast_float.cu
  selective_scan_backward/scan_backward_fast_float16.cu
  selective_scan_backward/scan_backward_portable.cu
  selective_scan_backward/selective_scan_backward_cuda.cpp
  selective_state_update/selective_state_update_cuda.cpp
  selective_state_update/selective_state_update_fast.cu
  selective_state_update/selective_state_update_portable.cu
  ssm_step/ssm_step_cuda.cpp
  ssm_step/ssm_step_fast.cu
  ssm_step/ssm_step_portable.cu)
target_compile_options(simba_kernels_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-lineinfo>")
set_source_files_properties(cuda/architectures.cpp PROPERTIES COMPILE_DEFINITIONS
  "SIMBA_CUDA_ARCHITECTURES=\"${_simba_architectures}${_simba_newer}\"")
target_link_libraries(simba_kernels_cuda PUBLIC simba_options CUDA::cudart_static)
