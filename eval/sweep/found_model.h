// A sweep's model on this machine: its folder, its tokenizer and its shape.
#pragma once

#include <memory>
#include <string>

#include "csrc/model/model_shape.h"
#include "eval/sweep/sweep_config.h"

namespace simba::eval {

// Where to look.
struct ModelPlaces {
  std::string models;     // a folder of checkpoint folders; may be empty
  std::string configs;    // holds models/NAME/config.json
  std::string tokenizer;  // for models that have none beside their weights; may be empty
};

struct FoundModel {
  SweepModel model;
  std::string folder;     // with its weights; empty: there is none
  std::string tokenizer;  // file; empty: there is none
  std::unique_ptr<ModelShape> shape;

  const std::string& name() const { return model.name; }
};

// The checkpoint is the folder NAME of places.models, else what the sweep's file names: a folder,
// or a hub id in the local cache. Throws InputError naming the file's line where there is none, or
// where there is no tokenizer.
FoundModel find_model(const SweepModel& model, const ModelPlaces& places);

// As find_model(), for a plan alone: without a checkpoint, the shape is that of places.configs, and
// a tokenizer is not needed.
FoundModel find_model_shape(const SweepModel& model, const ModelPlaces& places);

// Reads as much of the checkpoint as tells whether a model can be made of it: names, shapes and
// sizes of all weights. Throws InputError.
void check_weights(const FoundModel& model);

}  // namespace simba::eval
