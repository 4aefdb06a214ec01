"""The frame of every page that tavu writes: one file that loads nothing and runs nothing, in one style, light and dark."""

import html
from importlib.resources import files
from string import Template

# The policy lets the page load nothing and run nothing, whatever a model wrote into it.
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
$reload<title>$title</title>
<style>
$style</style>
</head>
<body>
<header>
$header
</header>
<main>
$main
</main>
</body>
</html>
""")


def page(title: str, header: str, main: str, *, reload_seconds: int | None = None) -> str:
    """A whole page: its title as text, its header and main part as HTML; it loads itself anew every reload_seconds."""
    return _PAGE.substitute(
        reload=f'<meta http-equiv="refresh" content="{reload_seconds}">\n' if reload_seconds else "",
        title=html.escape(title),
        style=files("tavu.reports").joinpath("report.css").read_text(encoding="utf-8"),
        header=header,
        main=main,
    )
