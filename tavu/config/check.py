"""Checks of settings. Each error starts with the full name of the setting, as in `--set`."""

from tavu.errors import TavuError, shortened


def check(ok: bool, name: str, got: object, expected: str) -> None:
    """Raise the error for a bad setting, unless ok."""
    if not ok:
        raise TavuError(f"{name} is {shortened(repr(got))}, expected {expected}")


def check_positive(where: str, config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        check(value >= 1, f"{where}.{name}", value, "1 or more.")


def check_at_most(where: str, config: object, most: int, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        check(value <= most, f"{where}.{name}", value, f"{most} or less.")
