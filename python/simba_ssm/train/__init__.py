"""Pretraining and fine-tuning: ``python -m simba_ssm.train CONFIG.toml`` (docs/training.md)."""

from simba_ssm.train.errors import TrainError, TrainingStopped

__all__ = ["TrainError", "TrainingStopped"]
