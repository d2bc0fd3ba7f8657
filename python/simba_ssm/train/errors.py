"""What stops a training run, as one line for its user."""


class TrainError(Exception):
    """Wrong input: which file and key, what was expected, what came. Exit code 2."""


class TrainingStopped(Exception):
    """A run that went wrong: at which step, and the last good checkpoint. Exit code 1."""
