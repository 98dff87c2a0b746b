"""Who votes: signatures that only the poll can make, invitations, and who sees which film on which side."""

import hashlib
import hmac

from vector_tl.poll.storage import PollFile


class Voters:
    """A poll's voters, known by tokens that its secret signs.

    Args:
        poll: whose they are.
    """

    def __init__(self, poll: PollFile):
        self._poll, self._secret = poll, bytes.fromhex(poll.fact("secret"))

    def sign(self, purpose: str, text: str) -> str:
        """A signature that only this poll can make."""
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()[:32]

    def signed_by_us(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `signature` is ours; every wrong one takes the same time."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode(errors="replace"))

    def invitation(self, number: int) -> str:
        """The token of invitation `number` (from 1)."""
        return f"{number}-{self.sign('invitation', str(number))}"

    def invited(self, token: str) -> str | None:
        """The voter of an invitation, or None for one that is not ours."""
        number, _, signature = token.partition("-")
        plain = number.isascii() and number.isdigit() and len(number) < 8
        if (
            plain
            and 1 <= int(number) <= self._poll.invitations
            and self.signed_by_us("invitation", number, signature)
        ):
            return f"invited-{number}"
        return None

    def common_token(self) -> str:
        """The token in the address of a vote that is open to all who have that address."""
        return f"all-{self.sign('invitation', 'all')}"

    def admits(self, token: str) -> bool:
        """Whether a token opens the page: an invitation, or the common one where there are none."""
        if self._poll.invitations:
            return self.invited(token) is not None
        return hmac.compare_digest(token.encode(errors="replace"), self.common_token().encode())

    def sides(self, voter: str) -> tuple[str, str]:
        """The films that a voter sees left and right: at random for each voter, and the same each time."""
        first, second = self._poll.files
        return (second, first) if int(self.sign("sides", voter)[:8], 16) % 2 else (first, second)
