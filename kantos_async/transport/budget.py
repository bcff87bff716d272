"""How much of the key's quota is left, by the server's own words. Pure bookkeeping, no waiting.

The server tells limit, remaining and reset with each answer. From them `Budget.admit` says
whether one more request may leave now, or when to ask again. Its rules:

- Admit while the lowest `remaining` of the window, less what is in flight or lost, leaves room.
- Probe, then pour: until the first answer of a window is in, requests leave one at a time.
- The reset is on the server's clock, and is compared with the server's `Date` only. A server whose
  header names a second too early refuses one probe, once; from then on it is given a second more.
"""

from __future__ import annotations

import math

import msgspec

from .aiming import Aim
from .serverclock import ServerClock
from .words import Words, retry_after_seconds

__all__ = ["Budget", "Permit"]

# A probe without an answer hands over to the next request after this many seconds.
_PROBE = 1.0
# Resets this many seconds apart may still name the same window.
_SAME = 2
# The length of the documented window, and of the pause while a longer quota is spent.
_MINUTE = 60.0
# Added to a moment computed from clocks, against rounding.
_EPSILON = 0.002
# So many failures to connect in a row (about five seconds) fail whoever waits.
_UNREACHABLE = 9
# Windows in a row that are over (in so many seconds) as they are told of, or of which nothing is
# told, until the headers are no longer believed.
_STALE = 3
_OVER = 0.05


class Permit(msgspec.Struct, gc=False):
    """One request's leave to go: when it left, and in which order."""

    number: int
    sent: float


class Budget:
    """The quota of one key.

    Args:
        share: the part of the limit that we may use.
    """

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self.clock = ServerClock()
        #: The window's limit, lowest remaining and reset (server's clock); None: not yet told.
        self.limit: int | None = None
        self.remaining: int | None = None
        self.reset: int | None = None
        #: Our clock at the end of the window.
        self.turn = -math.inf
        #: Requests a second by other programs on the key.
        self.others = 0.0
        self.in_flight = 0
        self._lost = 0
        self._numbers = 0
        self._limit_number = 0
        self._probe: Permit | None = None
        self._silent = False  # the server sends no usable headers: only slots and 429s steer
        self._stale = 0
        self._hold = -math.inf
        self._refusals = 0  # in a row, those of one burst counted once
        self._refused_at = -math.inf
        self._refused_until = math.inf  # the reset that the row of refusals has not yet outlasted
        self._outlasted = 0  # resets that the row of refusals has outlasted
        self._unreached = 0  # connections that failed in a row, those of one burst counted once
        self._unreached_at = -math.inf
        self._late = 0  # seconds by which a window outlasts the second that its header names
        self._aim = Aim(self.clock)
        # What the share of others is computed from.
        self._opened = 0.0
        self._counted = 0
        self._spent_before = 0
        self._word_at = 0.0
        self._latency = 0.05

    # ---- leaving ---------------------------------------------------------------------------

    def admit(self, now: float, waiting: int) -> float:
        """When the next request may leave: 0 for now, else our time to ask again.

        Args:
            now: our clock.
            waiting: how many requests want to leave, this one included.
        """
        if now < self._hold:
            return self._hold
        if self._unknown(now):
            return 0.0 if self._probe is None else self._handover(self._probe, now)
        if self._silent:
            return 0.0
        room = self._room()
        if room <= 0:
            return self.turn
        if self.others:
            # What they will have taken by the time that a request of ours arrives.
            theirs = 1 + math.ceil(self.others * (now - self._word_at + self._latency))
            return 0.0 if room > theirs else self.turn
        return self._aim.hold(
            now, room=room, waiting=waiting, in_flight=self.in_flight, turn=self.turn
        )

    def spent_until(self, now: float) -> float:
        """When the quota is back; `now` where some is left, or where that is not known."""
        if now < self._hold and not self._unreached:
            return self._hold
        if self._silent or self._unknown(now) or self._room() > 0:
            return now
        return self.turn

    @staticmethod
    def _handover(probe: Permit, now: float) -> float:
        until = probe.sent + _PROBE
        return 0.0 if now >= until else until

    def take(self, now: float) -> Permit:
        """Count one request as leaving; only after `admit` said so."""
        self._numbers += 1
        permit = Permit(self._numbers, now)
        if self._unknown(now):
            self._probe = permit
        self._aim.sent(now)
        self.in_flight += 1
        return permit

    def _unknown(self, now: float) -> bool:
        """Whether nothing is known yet of the window that is open now."""
        if self._refusals or self._unreached > 1:
            return True
        return not self._silent and (self.remaining is None or now >= self.turn)

    def _room(self) -> int:
        """What is surely left of the window for us."""
        assert self.remaining is not None
        assert self.limit is not None
        room = self.remaining - self.in_flight - self._lost
        if self._share < 1:
            room -= math.ceil(self.limit * (1 - self._share))
        return room

    # ---- coming back -----------------------------------------------------------------------

    def unused(self, permit: Permit) -> None:
        """The caller left in the moment of its grant: nothing was spent."""
        self.in_flight -= 1
        self._end_probe(permit)

    def unreached(self, permit: Permit, now: float) -> None:
        """There was no connection: nothing was spent.

        One that fails hands over at once. When the next fails too, everybody would: so one at a
        time tries, less and less often, and the others keep their attempts.
        """
        self.unused(permit)
        if permit.sent < self._unreached_at:
            return
        self._unreached += 1
        self._unreached_at = now
        if self._unreached > 1:
            self._hold = max(self._hold, now + min(0.02 * 2.0 ** min(self._unreached, 9), 1.0))

    def lost(self, permit: Permit) -> None:
        """No answer came. The request counts as spent until the reset."""
        self.in_flight -= 1
        self._lost += 1
        self._unreached = 0
        self._end_probe(permit)

    def answered(self, permit: Permit, words: Words, status: int, now: float) -> None:
        """Take in an answer's words."""
        self.in_flight -= 1
        self._unreached = 0
        self._latency += 0.2 * (now - permit.sent - self._latency)
        agreed = True
        if words.date is not None:
            agreed = self.clock.learn(words.date, permit.sent, now)
        if words.reset is None or words.date is None:
            self._wordless(permit)
        else:
            self._fold(permit, words, now, agreed)
        # Only now: the window of the answer must be known before the next may leave.
        self._end_probe(permit)
        if status == 429:
            self._refused(permit, words, now)
        else:
            self._refusals = self._outlasted = 0
            self._refused_until = math.inf

    def _end_probe(self, permit: Permit) -> None:
        if self._probe is permit:
            self._probe = None

    def _wordless(self, permit: Permit) -> None:
        if self.remaining is None:
            self._silent = True
        elif permit.sent < self.turn:
            self._lost += 1  # a proxy's answer: whether it was counted is not known
        else:
            # Of a new window nothing is told: now and then a proxy's answer, or no more headers.
            self._stale += 1
            self._silent = self._stale >= _STALE

    def _fold(self, permit: Permit, words: Words, now: float, agreed: bool) -> None:
        assert words.reset is not None
        assert words.remaining is not None
        assert words.limit is not None
        reset = self.reset
        sent_after = permit.sent >= self.turn
        if (
            reset is None
            or not agreed
            or words.reset > reset + _SAME
            or (sent_after and words.reset != reset)
        ):
            self._open(words, now)
        elif words.reset < reset - _SAME:
            return  # an answer from the window before
        elif words.limit != self.limit:
            if permit.number < self._limit_number:
                return  # said before the limit changed
            self._limit_number = self._numbers
            self.limit, self.remaining = words.limit, words.remaining
        else:
            assert self.remaining is not None
            self.remaining = min(self.remaining, words.remaining)
            self.reset = max(reset, words.reset)
            if sent_after:
                self._late = 1  # it was to be over by now: this server's headers run early
        self._counted += 1
        self._word_at = now
        self._see_others(words, now)
        self.turn = self.clock.surely_past(self.reset or 0) + self._late + _EPSILON
        if sent_after:
            self._stale = self._stale + 1 if self.turn < now + _OVER else 0
        self._silent = self._stale >= _STALE

    def _open(self, words: Words, now: float) -> None:
        """The first words of a window."""
        self._aim.new_window()
        self.limit, self.remaining, self.reset = words.limit, words.remaining, words.reset
        self._lost = 0
        self._opened = now
        self._counted = 0
        assert words.limit is not None
        assert words.remaining is not None
        self._spent_before = words.limit - words.remaining - 1

    def _see_others(self, words: Words, now: float) -> None:
        """A drop of `remaining` beyond our own requests is other programs on the key."""
        assert self.limit is not None
        assert self.remaining is not None
        ours = self._counted + self.in_flight + self._lost
        theirs = self.limit - self.remaining - self._spent_before - ours
        elapsed = now - self._opened
        if theirs > 0:
            self.others = max(theirs / max(elapsed, 1.0), self.others if elapsed < 1 else 0.0)
        elif elapsed > 1:
            self.others = 0.0

    def _refused(self, permit: Permit, words: Words, now: float) -> None:
        if permit.sent >= self._refused_at:
            self._refusals += 1
            self._refused_at = now
        if permit.sent >= self._refused_until:
            # A minute's quota would be back by now. Where some of it is left, one refusal past
            # the reset proves that another limit, a day's, is the one that is spent.
            self._outlasted += 1 if words.remaining == 0 else 2
            self._refused_until = math.inf
        if self._refused_until == math.inf:
            self._refused_until = self.turn if self.turn > now else now + _MINUTE
        self._hold = max(self._hold, now + self._pause(words, now))

    def _pause(self, words: Words, now: float) -> float:
        """Seconds to hold everything after a refusal."""
        if self.spent:
            return _MINUTE
        asked = retry_after_seconds(words)
        if words.remaining == 0 and self.turn > now:
            return max(asked or 0.0, self.turn - now)
        # Refused although something remained: a limit that we are not told of.
        return asked if asked is not None else min(2.0 ** min(self._refusals - 1, 9), _MINUTE)

    @property
    def unreachable(self) -> bool:
        """Whether connections have failed for some seconds on end."""
        return self._unreached >= _UNREACHABLE

    @property
    def spent(self) -> bool:
        """Whether refusals outlast the resets: a longer quota, a day's, is used up."""
        return self._outlasted >= 2
