// Which process of how many this is, as torchrun or srun say in the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace simba::eval {

struct ProcessPlace {
  int rank = 0;
  int count = 1;
  int local_rank = 0;     // among the processes of this host
  std::string host = {};  // of the store where the processes meet
  std::uint16_t port = 0;
  bool store_is_served = false;  // by torchrun itself; else the first process serves it
  std::string run = {};          // tells this start of the run from others at the same store

  bool is_first() const { return rank == 0; }
};

// Gives a variable's value, or null.
using Environment = std::function<const char*(const char* name)>;

// torchrun: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT, TORCHELASTIC_*.
// srun: SLURM_PROCID, SLURM_NTASKS (of the step, where that is given), SLURM_LOCALID; the store is
// at MASTER_ADDR or the first host of SLURM_STEP_NODELIST or SLURM_JOB_NODELIST, or
// SLURM_LAUNCH_NODE_IPADDR; its port is MASTER_PORT or made from the job's and the step's number. A
// batch script's own shell, which has a rank but is no step, is one process.
// Neither: one process. Throws InputError naming the variable that is missing or no number.
ProcessPlace find_process_place(const Environment& environment);

// Of this process's own environment.
ProcessPlace find_process_place();

// --device as typed, with "cuda" among several processes made "cuda:LOCAL_RANK" (where a process
// sees only one device, that one).
std::string local_device(const std::string& typed, const ProcessPlace& place);

}  // namespace simba::eval
