"""The one exception for what a user did."""


class TavuError(ValueError):
    """A mistake in what the user gave, told in one sentence: what, got, expected, what to do next.

    The command line prints the sentence and exits with status 2; our own mistakes are assertions.
    """


def shortened(value: object, most: int = 200) -> str:
    """A value as a sentence has room for it: files may hold names and numbers of any length."""
    text = str(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
