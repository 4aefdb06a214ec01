"""tavu push: a model as a repository on the Hugging Face hub, which tavu and transformers load."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tavu.errors import TavuError
from tavu.export.exported import size_of
from tavu.export.hf import write_folder
from tavu.hub import LOG_IN, check_repository, first_line, require_library
from tavu.stored_model import open_model

_CARD = "README.md"


@dataclass(frozen=True)
class Pushed:
    """A model on the hub: its address, commit, and size in bytes; whether a model card that was there already was kept."""

    url: str
    revision: str
    num_bytes: int
    kept_card: bool


def push(model: Path, repository: str, *, private: bool = False) -> Pushed:
    """Upload the folder of `tavu export --to hf` to OWNER/NAME, which is made if there is none. A model card that is there is kept.

    Raises TavuError when the model cannot be read, without a login, network or the right to write there, and where a repository that should be
    private is public.
    """
    check_repository(repository)
    require_library("tavu push")
    from huggingface_hub import HfApi, constants, errors

    stored, api = open_model(model), HfApi(library_name="tavu")
    place = f"{constants.ENDPOINT}/{repository}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_folder(stored, folder, repository)
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            if private and not api.model_info(repository).private:
                raise TavuError(
                    f"{repository} exists and is public, so nothing was uploaded. Make it private at {place}/settings, or omit --private."
                )
            kept_card = api.file_exists(repository, _CARD)
            ignored = [_CARD] if kept_card else []
            done = api.upload_folder(repo_id=repository, folder_path=folder, ignore_patterns=ignored, commit_message=f"{stored.name}, by tavu push")
        except errors.LocalTokenNotFoundError:
            raise TavuError(f"{repository} could not be written without a login: {LOG_IN}.") from None
        except errors.HfHubHTTPError as fault:
            raise TavuError(_refusal(repository, fault)) from None
        except (errors.HTTPError, OSError) as fault:  # pyright: ignore[reportPrivateImportUsage]  (of the HTTP library of its version)
            reason = f"{constants.ENDPOINT} could not be reached ({first_line(fault)})"
            raise TavuError(f"{repository} was not uploaded: {reason}. Run the command again when there is a network.") from None
        return Pushed(place, done.oid, size_of(folder), kept_card)


def _refusal(repository: str, fault: Exception) -> str:
    status = getattr(getattr(fault, "response", None), "status_code", None)
    if status == 401:
        return f"{repository} could not be written without a valid login: {LOG_IN}."
    if status == 403:
        return f"Your login may not write to {repository}. Use a token with write access, or a repository of your own."
    return f"{repository} was not uploaded: {first_line(fault)}. Try again later."
