"""Tables, plots and a page from the results of simba-eval: ``python -m simba_ssm.report DIR...``.

Every number comes from the files' results.json. Matplotlib is imported only when plots are drawn.
"""

from simba_ssm.report.errors import ReportError
from simba_ssm.report.write import write_report

__all__ = ["ReportError", "write_report"]
