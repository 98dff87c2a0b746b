"""Where a page is served: this machine alone or more, under which names, and what that opens."""

import ipaddress
import logging
import socket

LOOPBACK = "127.0.0.1"
log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is served at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def own_names(host: str) -> set[str]:
    """The names under which a page may be asked for that is served at `host`."""
    own = socket.gethostname().lower()
    return {"localhost", host.lower(), own, f"{own}.local"}


def address(host: str, port: int) -> str:
    """What to open: `HOST:PORT`, with this machine's own address where it is served at all it has."""
    named = _address_on_network() if host in ("0.0.0.0", "::") else host
    return f"[{named}]:{port}" if ":" in named else f"{named}:{port}"


def _address_on_network() -> str:
    """The address of this machine from which it would reach others; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation (RFC 5737)
        except OSError:  # no network
            return LOOPBACK
        return str(probe.getsockname()[0])


def warn_if_open(host: str, deeds: str, option: str = "--host") -> None:
    """Say what serving at `host` opens, where that is more than this machine.

    Args:
        host: the address or name to listen at.
        deeds: what who has the page's address can do there, such as "see the images".
        option: by which `host` was given.
    """
    if not is_loopback(host):
        log.warning(
            "%s %s opens the page to every computer that reaches this one: who has its address, which "
            "travels unencrypted, can %s.",
            option,
            host,
            deeds,
        )
