"""README and the pages of docs/ as tests read them: their blocks of code, what they take for given, and their prose.

A page may begin with `<!-- given: stories.txt runs/stories -->`, the files that its commands find; and `<!-- not run: why -->` before a block
says that its commands are only parsed, as those are that need a network or a GPU.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^>]+) -->\n\n?)?^```(?P<language>[a-z]+)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_GIVEN = re.compile(r"<!-- given: ([^>]+) -->")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    is_run: bool


@dataclass(frozen=True)
class Page:
    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def given(self) -> list[str]:
        """The files that its commands find."""
        return [name for found in _GIVEN.findall(self.text) for name in found.split()]

    @property
    def blocks(self) -> list[Block]:
        return [Block(found["language"], found["text"], found["why"] is None) for found in _BLOCK.finditer(self.text)]

    @property
    def prose(self) -> str:
        """All but blocks and comments."""
        return re.sub(r"<!--.*?-->", "", re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL), flags=re.DOTALL)


def read_pages() -> list[Page]:
    return [Page(path, path.read_text(encoding="utf-8")) for path in PAGES]


def commands(block: Block) -> list[str]:
    """The command lines of a block of shell, without comments, those joined by && apart."""
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    bare = [re.sub(r"\s+#\s.*$|^#.*$", "", line).strip() for line in lines]
    return [command.strip() for line in bare for command in line.split(" && ") if command.strip()]
