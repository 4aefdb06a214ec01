"""Check the Host and Origin of requests.

A web page can resolve its own host name to this machine (DNS rebinding) and then send requests as if it were the studio. So only known host names
are accepted.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tavu.errors import TavuError
from tavu.serving.errors import Refusal

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)\.?(?::[0-9]{1,5})?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")
_EXPOSED = "retry-after, www-authenticate"


def is_loopback(host: str) -> bool:
    """Whether a host name refers to this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hostname(host: str) -> str | None:
    """The host name in a Host header; None if it is invalid.

    >>> hostname("LOCALHOST.:8000"), hostname("[::1]:80"), hostname("localhost:80@evil.example")
    ('localhost', '[::1]', None)
    """
    found = _HOST.fullmatch(host.lower())
    return found[1] if found else None


@dataclass(frozen=True)
class Callers:
    """The accepted host names and origins."""

    any_host: bool = False
    hosts: frozenset[str] = frozenset()
    """In addition to names of this machine."""
    origins: frozenset[str] = frozenset()

    def check(self, headers: Mapping[bytes, str]) -> None:
        """Raises Refusal if Host or Origin is not accepted."""
        host = headers.get(b"host", "")
        name = hostname(host)
        if name is None and not (self.any_host and not host):
            raise Refusal(403, "The Host header is not a valid host name. Use the address that the server printed when it started.", "wrong_host")
        if name is not None and not (self.any_host or name in self.hosts or is_loopback(name)):
            advice = "Use that name, or start it with --allow-host and the name you use"
            raise Refusal(403, f"This server answers to localhost only. {advice}.", "wrong_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower() and origin.lower() not in self.origins:
            advice = "Start the server with --allow-origin and the address of the page, or open the studio itself"
            raise Refusal(403, f"Pages of other sites may not use this server. {advice}.", "wrong_origin")

    def cors(self, headers: Mapping[bytes, str]) -> dict[str, str]:
        """The CORS headers that let the requesting page read the response."""
        origin = headers.get(b"origin", "")
        if origin.lower() not in self.origins:
            return {"vary": "origin"} if self.origins else {}
        return {"vary": "origin", "access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED}

    def preflight(self, headers: Mapping[bytes, str]) -> dict[str, str]:
        """The headers of the response to a preflight request. Pages send the API key themselves, so credentials are never allowed."""
        asked = headers.get(b"access-control-request-headers", "")
        allowed = {"access-control-allow-methods": "GET, POST", "access-control-max-age": "600"}
        if re.fullmatch(r"[A-Za-z0-9_, -]{1,1000}", asked):
            allowed["access-control-allow-headers"] = asked
        if headers.get(b"access-control-request-private-network") == "true":
            allowed["access-control-allow-private-network"] = "true"
        return allowed


def callers_of(hosts: Iterable[str], origins: Iterable[str], *, any_host: bool) -> Callers:
    """Callers from --allow-host and --allow-origin. Raises TavuError for invalid values."""
    named, sites = set(), set()
    for host in hosts:
        if ":" in host.strip("[]").replace("::", "") or hostname(host) is None:
            raise TavuError(f"--allow-host is {host!r}, expected a host name without a port, such as host.docker.internal.")
        named.add(hostname(host) or "")
    for origin in origins:
        site = origin.lower().rstrip("/")
        if not _ORIGIN.fullmatch(site):
            expected = "the address of a page without its path, such as http://localhost:5173"
            raise TavuError(f"--allow-origin is {origin!r}, expected {expected}. It may be given several times.")
        sites.add(_without_default_port(site))
    return Callers(any_host, frozenset(named), frozenset(sites))


def _without_default_port(site: str) -> str:
    """The origin as browsers send it: http://a:80 is http://a."""
    scheme, _, rest = site.partition("://")
    return f"{scheme}://{rest.removesuffix(':80' if scheme == 'http' else ':443')}"
