"""A run as people look at it: progress.png to share, report.html to read."""
