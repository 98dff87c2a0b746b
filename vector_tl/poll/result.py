"""What came of a poll: shares with their intervals, the words of voters, and how far votes can be double."""

import math
from collections import Counter

from vector_tl.poll.clock import stamp
from vector_tl.poll.doubts import double_votes
from vector_tl.poll.votes import Poll


def wilson(share_of: int, total: int, z: float = 1.959964) -> tuple[float, float] | None:
    """Wilson's score interval of a share (95 % by default), or None without votes.

    E. B. Wilson, JASA 22 (1927) 209-212.
    """
    if not total:
        return None
    share, square = share_of / total, z * z / total
    middle, reach = (
        (share + square / 2) / (1 + square),
        z * math.sqrt((share * (1 - share) + square / 4) / total) / (1 + square),
    )
    return max(0.0, middle - reach), min(1.0, middle + reach)


def result(poll: Poll, reveal: bool = False) -> dict:
    """The count as a JSON-able dict; models are named once voting has closed, or with `reveal`."""
    votes, closed = poll.votes(), poll.closed()
    picked = [vote["film"] for vote in votes if vote["film"]]
    films = []
    for film in poll.fact("films"):
        mine = picked.count(film["file"])
        interval = wilson(mine, len(picked))
        films.append(
            {
                "film": film["file"],
                "model": film["model"] if closed or reveal else None,
                "caption": film["caption"] if closed or reveal else None,
                "votes": mine,
                "share": round(mine / len(picked), 4) if picked else None,
                "interval95": [round(edge, 4) for edge in interval] if interval else None,
                "why": [vote["why"] for vote in votes if vote["film"] == film["file"] and vote["why"]],
            }
        )
    sides = Counter(vote["side"] for vote in votes)
    return {
        "poll": poll.id,
        "question": poll.fact("question"),
        "opened": stamp(poll.fact("opened_s")),
        "closes": stamp(poll.fact("closes_s")),
        "closed": closed,
        "votes": len(votes),
        "decided": len(picked),
        "no_difference": len(votes) - len(picked),
        "chose_left": sides["left"],
        "chose_right": sides["right"],
        "threshold": poll.fact("threshold"),
        "films": films,
        "why_no_difference": [vote["why"] for vote in votes if not vote["film"] and vote["why"]],
        "double_votes": double_votes(votes, poll.invitations > 0),
    }
