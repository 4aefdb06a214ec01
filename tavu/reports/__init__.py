"""A run as people look at it: progress.png to share, report.html to read."""

from tavu.reports.plots import write_progress_png
from tavu.reports.report import write_report
from tavu.reports.run_folder import RunRecord, read_run

__all__ = ["RunRecord", "read_run", "write_progress_png", "write_report"]
