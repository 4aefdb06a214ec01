"""Models on the Hugging Face hub, named hf:OWNER/NAME or hf:OWNER/NAME@REVISION: a name -> the local copy of its model file.

Of a repository only the model file is read, by tavu's own reader: no code and no pickle. huggingface_hub keeps it in its cache, where it is found
without a network, and takes the token from its own login. tavu/export/hub.py uploads.
"""

import os
import re
from pathlib import Path

from tavu.errors import TavuError, shortened

PREFIX = "hf:"
PUBLISHED = "tavu.safetensors"
"""The model file in a repository, or in a folder of `tavu export --to hf`, beside the weights for transformers."""
LOG_IN = "log in with `hf auth login`"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_CACHED = re.compile(r"models--(.+?)--(.+)")


def is_hub_name(name: str | os.PathLike[str]) -> bool:
    """Whether a model is named by its place on the hub."""
    return os.fspath(name).startswith(PREFIX)


def check_repository(repository: str, prefix: str = "") -> None:
    """Raise TavuError unless this is of the form OWNER/NAME."""
    if not _NAME.fullmatch(repository):
        form = f"{prefix}OWNER/NAME[@REVISION]" if prefix else "OWNER/NAME"
        raise TavuError(f"{shortened(prefix + repository)!r} does not name a model on the hub, expected {form}, e.g. {prefix}me/stories.")


def download(name: str) -> Path:
    """The local copy of the model file of hf:OWNER/NAME[@REVISION], REVISION being a branch, tag or commit.

    Raises TavuError without huggingface_hub, without a network if there is no copy yet, without the right to read it, and if it is no tavu model.
    """
    repository, at, revision = name.removeprefix(PREFIX).replace(os.sep, "/").partition("@")
    check_repository(repository, PREFIX)
    if at and not revision:
        raise TavuError(f"{name!r} has no revision after the @, expected a branch, tag or commit, e.g. {PREFIX}{repository}@main.")
    require_library(name)
    from huggingface_hub import constants, errors, hf_hub_download

    place = f"{constants.ENDPOINT}/{repository}"
    try:
        return Path(hf_hub_download(repository, PUBLISHED, revision=revision or None))
    except errors.GatedRepoError:
        raise TavuError(f"{repository} is gated. Ask for access at {place}, then {LOG_IN}.") from None
    except errors.RevisionNotFoundError:
        raise TavuError(f"{repository} has no revision {revision!r}. See {place}/commits/main, or leave out the @.") from None
    except errors.RepositoryNotFoundError:
        raise TavuError(f"There is no model {repository} at {constants.ENDPOINT}, or it is private. Check its name, or {LOG_IN}.") from None
    except errors.LocalEntryNotFoundError:
        unreached = f"{repository} could not be reached at {constants.ENDPOINT}, and there is no copy of it here"
        raise TavuError(f"{unreached}. Run the command again when there is a network.") from None
    except errors.EntryNotFoundError:
        raise TavuError(f"{repository} is not a tavu model: it has no {PUBLISHED}. Name one that `tavu push` uploaded.") from None
    except (errors.HfHubHTTPError, OSError) as fault:
        raise TavuError(f"{repository} could not be downloaded: {first_line(fault)}. Try again later.") from None


def require_library(name: str) -> None:
    """Raise TavuError if huggingface_hub is not installed."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise TavuError(f'{name} needs the library of the Hugging Face hub. Install it: pip install "tavu[hub]"') from None


def repository_of(file: Path) -> str | None:
    """OWNER/NAME of a file in the cache of huggingface_hub, models--OWNER--NAME/snapshots/COMMIT/FILE; None for any other file.

    >>> repository_of(Path("hub/models--me--stories/snapshots/5e1c/tavu.safetensors"))
    'me/stories'
    """
    found = _CACHED.fullmatch(file.parts[-4]) if len(file.parts) >= 4 and file.parts[-3] == "snapshots" else None
    return f"{found[1]}/{found[2]}" if found else None


def first_line(fault: Exception) -> str:
    """What an exception says, as part of a sentence."""
    return shortened(str(fault).strip().split("\n")[0].rstrip(".") or type(fault).__name__)
