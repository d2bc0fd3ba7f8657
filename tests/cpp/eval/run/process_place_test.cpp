#include "eval/run/process_place.h"

#include <map>

#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

using Variables = std::map<std::string, std::string>;

ProcessPlace place_in(const Variables& variables) {
  return find_process_place([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

const Variables kTorchrun = {{"RANK", "5"},
                             {"WORLD_SIZE", "8"},
                             {"LOCAL_RANK", "1"},
                             {"MASTER_ADDR", "node0"},
                             {"MASTER_PORT", "29500"}};

const Variables kSrun = {{"SLURM_PROCID", "3"},
                         {"SLURM_NTASKS", "4"},
                         {"SLURM_LOCALID", "1"},
                         {"SLURM_JOB_ID", "77"},
                         {"SLURM_STEP_ID", "2"}};

TEST(ProcessPlace, IsAloneWithoutALauncher) {
  EXPECT_EQ(place_in({}).count, 1);
  EXPECT_EQ(place_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).count, 1);
}

TEST(ProcessPlace, Torchrun) {
  const ProcessPlace place = place_in(kTorchrun);
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.count, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.host, "node0");
  EXPECT_EQ(place.port, 29500);
  EXPECT_FALSE(place.store_is_served);
  const ProcessPlace again = place_in(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                                       {"TORCHELASTIC_RUN_ID", "id"},
                                                       {"TORCHELASTIC_RESTART_COUNT", "2"}}));
  EXPECT_TRUE(again.store_is_served);
  EXPECT_EQ(again.run, "id/2");
}

TEST(ProcessPlace, Srun) {
  const ProcessPlace place =
      place_in(with(kSrun, {{"SLURM_JOB_NODELIST", "gpu[07-12,30].cluster,other"}}));
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.count, 4);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.host, "gpu07.cluster");
  EXPECT_EQ(place_in(with(kSrun, {{"SLURM_JOB_NODELIST", "a1,a2"}})).host, "a1");
  EXPECT_EQ(
      place_in(with(kSrun, {{"SLURM_JOB_NODELIST", "a1"}, {"SLURM_STEP_NODELIST", "a2"}})).host,
      "a2");
  EXPECT_EQ(place_in(with(kSrun, {{"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}})).host, "10.0.0.1");
  const Variables named = {{"MASTER_ADDR", "m"}, {"MASTER_PORT", "1234"}};
  EXPECT_EQ(place_in(with(kSrun, named)).host, "m");
  EXPECT_EQ(place_in(with(kSrun, named)).port, 1234);
}

TEST(ProcessPlace, StepsOfAJobMeetAtPortsOfTheirOwn) {
  Variables variables = with(kSrun, {{"MASTER_ADDR", "m"}});
  const int first = place_in(variables).port;
  variables["SLURM_STEP_ID"] = "3";
  EXPECT_NE(place_in(variables).port, first);
  EXPECT_GE(first, 20000);
  EXPECT_LT(first, 30000);
}

TEST(ProcessPlace, AStepsOwnNumberOfTasksCounts) {
  EXPECT_EQ(place_in(with(kSrun, {{"SLURM_STEP_NUM_TASKS", "6"}, {"MASTER_ADDR", "m"}})).count, 6);
}

TEST(ProcessPlace, ABatchScriptIsOneProcess) {
  Variables variables = kSrun;
  variables.erase("SLURM_STEP_ID");
  variables["SLURM_PROCID"] = "0";
  EXPECT_EQ(place_in(variables).count, 1);
}

TEST(ProcessPlace, WrongVariablesAreNamed) {
  Variables variables = kTorchrun;
  variables["RANK"] = "two";
  EXPECT_TRUE(refuses("RANK: expected a number, got 'two'", [&] { place_in(variables); }));
  variables["RANK"] = "8";
  EXPECT_TRUE(refuses("rank 8: expected one below", [&] { place_in(variables); }));
  variables = kTorchrun;
  variables.erase("MASTER_ADDR");
  EXPECT_TRUE(refuses("MASTER_ADDR", [&] { place_in(variables); }));
  variables = kTorchrun;
  variables["MASTER_PORT"] = "0";
  EXPECT_TRUE(refuses("MASTER_PORT: expected a port, got 0", [&] { place_in(variables); }));
  EXPECT_TRUE(refuses("RANK: expected", [&] { place_in({{"WORLD_SIZE", "2"}}); }));
  EXPECT_TRUE(refuses("SLURM_NTASKS: expected", [&] { place_in({{"SLURM_PROCID", "0"}}); }));
}

TEST(ProcessPlace, TheLocalRankChoosesTheDevice) {
  const ProcessPlace place = place_in(kTorchrun);
  EXPECT_EQ(local_device("cpu", place), "cpu");
  EXPECT_EQ(local_device("cuda:3", place), "cuda:3");
  EXPECT_EQ(local_device("cuda", ProcessPlace{}), "cuda");
}

}  // namespace
}  // namespace simba::eval
