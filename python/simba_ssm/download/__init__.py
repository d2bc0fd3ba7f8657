"""Gets the published checkpoints and benchmarks: ``python -m simba_ssm.download``.

Every byte is checked before a file is put in its place: against the hash a source states, against
what the model hub says of it, and against ``simba-download.lock``, which records what was got at
first. A download that was cut off continues where it stopped.
"""

from simba_ssm.download.errors import DownloadError

__all__ = ["DownloadError"]
