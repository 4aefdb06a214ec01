"""The studio's files as they are sent, seen without a browser."""

import itertools
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tavu import serving as package
from tests.serving.conftest import ask, serving

PAGE = Path(package.__file__).with_name("page")
_REFERENCE = re.compile(r"""(?:href|src)="([^"#]+)"|(?:from|fetch\(|checked\()\s*"([^"]+)\"""")


def _references(text):
    return {attribute or argument for attribute, argument in _REFERENCE.findall(text)}


def test_all_that_the_page_asks_for_lies_beside_it_whatever_the_prefix(model_file):
    with serving(model_file, root_path="/tavu") as address:
        for place in ("/tavu/", "/tavu/docs"):
            page = ask(address, place)[2]
            scripts = [name for name in _references(page) if name.endswith(".js")]
            asked = {urljoin(place, name) for name in _references(page)}
            for script in scripts:
                for name in _references(ask(address, urljoin(place, script))[2]):
                    asked.add(urljoin(urljoin(place, script) if name.startswith("./") else place, name))
            assert scripts and all(path.startswith("/tavu/") for path in asked)
            assert {path: ask(address, path)[0] for path in asked} == dict.fromkeys(asked, 200)
    asked_by_stream = _references((PAGE / "stream.js").read_text(encoding="utf-8"))
    assert {"studio/facts", "v1/completions"} < asked_by_stream and not any(name.startswith("/") for name in asked_by_stream)


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    """WCAG's: 1 between equals, 21 between black and white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("look", [":root", ':root[data-look="dark"]'])
def test_each_tint_is_seen_and_the_text_on_it_is_read(look):
    css = (PAGE / "studio.css").read_text(encoding="utf-8")
    named = re.search(rf"^{re.escape(look)} \{{(.*?)\}}", css, re.DOTALL | re.MULTILINE)[1]
    colours = {name: "#" + digits * (1 + (len(digits) == 3)) for name, digits in re.findall(r"--([\w-]+): #([0-9a-f]{3,6});", named)}
    tints = [colours[name] for name in ("s1", "s2", "s3", "s4")]
    assert all(_contrast(tint, colours[ground]) >= 1.25 for tint in tints for ground in ("paper", "card"))
    assert all(_contrast(weaker, stronger) >= 1.15 for weaker, stronger in itertools.pairwise(tints)), "and none passes for the next"
    assert all(_contrast(tint, colours["ink"]) >= 4.5 for tint in tints)
