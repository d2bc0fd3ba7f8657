"""What is wrong with what a report is made of."""


class ReportError(Exception):
    """One line: which file and field, what was expected, what is there."""
