"""The studio's files as they are sent, seen without a browser."""

import re
from pathlib import Path
from urllib.parse import urljoin

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
