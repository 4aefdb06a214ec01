"""The one exception for what a user did."""


class TavuError(ValueError):
    """A mistake in what the user gave, told in one sentence: what, got, expected, what to do next.

    The command line prints the sentence and exits with status 2; our own mistakes are assertions.
    """
