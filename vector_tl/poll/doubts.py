"""What a poll knows of double votes, and which kinds of them it cannot exclude."""

from collections import defaultdict
from typing import Any

from vector_tl.plain import counted

CLASS = 64  # people who may well sit behind one address
MINUTE_S = 60.0
MANY_A_MINUTE = 40  # from one address; people look at both films before they vote
OF_BROWSERS = (
    "One person can vote again in another browser, in a private window or on another device.",
    "A program that keeps no cookie can vote as often as it likes. Votes are counted by address, but many "
    "people may share one, and one may have many.",
)
OF_INVITATIONS = (
    "Who has several invitations can vote with each of them.",
    "The poll does not know to whom an invitation was given, nor who used it.",
)
OF_CODES = "Anybody can make any number of codes: they need no invitation, and have no address."


def double_votes(votes: list[dict[str, Any]], by_invitation: bool) -> dict[str, Any]:
    """The votes by address, and what cannot be excluded, as a JSON-able dict.

    Args:
        votes: those of `Poll.votes`.
        by_invitation: whether each voter had one.

    Returns:
        {"addresses", "most_from_one_address", "most_a_minute_from_one_address", "without_address",
        "warning": a sentence or None, "not_excluded": [sentences]}
    """
    times_s = defaultdict(list)
    for vote in votes:
        if vote["address"]:
            times_s[vote["address"]].append(vote["at_s"])
    most = max(map(len, times_s.values()), default=0)
    a_minute = max(map(_most_a_minute, times_s.values()), default=0)
    unknown = len(votes) - sum(map(len, times_s.values()))
    not_excluded = list(OF_INVITATIONS if by_invitation else OF_BROWSERS)
    if any(vote["way"] == "code" for vote in votes) and not by_invitation:
        not_excluded.append(OF_CODES)
    if unknown and not by_invitation:
        not_excluded.append(f"No address is known of {unknown} of {counted(len(votes), 'vote')}.")
    return {
        "addresses": len(times_s),
        "most_from_one_address": most,
        "most_a_minute_from_one_address": a_minute,
        "without_address": unknown,
        "warning": None if by_invitation else _warning(most, a_minute, len(votes)),
        "not_excluded": not_excluded,
    }


def _most_a_minute(times_s: list[float]) -> int:
    """How many of the times lie within one minute, at most; they are in order."""
    most = first = 0
    for last, time_s in enumerate(times_s):
        while times_s[first] <= time_s - MINUTE_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def _warning(most: int, a_minute: int, votes: int) -> str | None:
    if most <= CLASS and a_minute <= MANY_A_MINUTE:
        return None
    return (
        f"{most} of {counted(votes, 'vote')} came from one address, up to {a_minute} in a minute: "
        "they may be those of one person or program."
    )
