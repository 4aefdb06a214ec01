"""What mkdocs is told beyond mkdocs.yml: pages made from the code, and those of records/, which lie outside of docs/."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from reference_from_code import command_line, http_api, python_api, settings

ROOT = Path(__file__).parent.parent
COPIED = {
    "records/RACE.md": "records/RACE.md",
    "records/STORIES.md": "records/STORIES.md",
    "records/LOG.md": "records/LOG.md",
    "records/race.png": "records/race.png",
    "records/decode.png": "records/decode.png",
    "icon.svg": "tavu/serving/page/icon.svg",
}
"""The name in the site of each file of the repository that is shown there as it is."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = {
        "reference/commands.md": command_line.page(),
        "reference/settings.md": settings.settings_page(),
        "reference/presets.md": settings.presets_page(),
        "reference/python.md": python_api.page(),
        "reference/http.md": http_api.page(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for name, path in COPIED.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files
