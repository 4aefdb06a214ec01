"""Data sets of the Hugging Face hub with a short name: name -> local file, downloaded once with huggingface_hub."""

from pathlib import Path

from tavu.errors import TavuError

HUB_FILES = {  # name: (data set, file)
    "tinystories": ("roneneldan/TinyStories", "TinyStoriesV2-GPT4-train.txt"),
    "tinystories:valid": ("roneneldan/TinyStories", "TinyStoriesV2-GPT4-valid.txt"),
    "tinystories-instruct": ("roneneldan/TinyStoriesInstruct", "TinyStories-Instruct-train.txt"),
    "tinystories-instruct:valid": ("roneneldan/TinyStoriesInstruct", "TinyStories-Instruct-valid.txt"),
}


def download(name: str) -> Path:
    """The local copy of a named file. An interrupted download resumes.

    Raises TavuError without huggingface_hub, on a full disk, and without a network if there is no copy yet.
    """
    data_set, file = HUB_FILES[name]
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise TavuError(f'{name} comes from the Hugging Face hub, which needs its library. Install it: pip install "tavu[hub]"') from None
    try:
        return Path(hf_hub_download(data_set, file, repo_type="dataset"))
    except (OSError, HfHubHTTPError) as fault:
        reason = str(fault).strip().split("\n")[0]
        raise TavuError(
            f"{name}: {file} of {data_set} could not be downloaded ({reason}). "
            "Run the command again when there is a network (the download resumes), or use `tales`, which needs none."
        ) from None
