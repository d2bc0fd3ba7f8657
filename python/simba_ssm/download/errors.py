"""What goes wrong with a download."""


class DownloadError(Exception):
    """One line: which file, what was expected, what came."""
