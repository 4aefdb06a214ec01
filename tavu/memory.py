"""How much memory this process has taken."""

import sys


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10**6 bytes); 0 where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
