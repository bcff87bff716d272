"""How much of the key's quota is left, by the server's own words. Pure bookkeeping, no waiting.

The server tells limit, remaining and reset with each answer. From them `Budget.admit` says
whether one more request may leave now, or when to ask again. Its rules:

- Admit while the lowest `remaining` of the window, less what is in flight or lost, leaves room.
- Probe, then pour: until the first answer of a window is in, requests leave one at a time.
- The reset is on the server's clock, and is compared with the server's `Date` only.
- Two things are learned once, with requests that would have been sent anyway: where the turn of
  the server's second lies (the last requests of a window are aimed at it), and whether a window
  ends at the second its header names (the last request is kept for that moment).
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from .serverclock import ServerClock
from .words import Words, retry_after_seconds

__all__ = ["Budget", "Permit"]

# A probe without an answer hands over to the next request after this many seconds.
_PROBE = 1.0
# Resets this many seconds apart may still name the same window.
_SAME = 2
# Aim at the turn of the server's second while its place is doubted by more than this.
_DOUBT = 0.030
# This many requests are aimed at one turn.
_AIMED = 6
# With more doubt than this nothing is known of the clock yet.
_KNOWN = 1.5
# Aiming ends so many seconds before the window does.
_SPARE = 0.5
# Added to a moment computed from clocks, against rounding.
_EPSILON = 0.002
# The length of the documented window, and of the pause while a longer quota is spent.
_MINUTE = 60.0
# Windows in a row that are over (in so many seconds) as they are told of, until the headers are
# no longer believed.
_STALE = 3
_OVER = 0.05


class Permit(msgspec.Struct, gc=False):
    """One request's leave to go: when it left, and in which order."""

    number: int
    sent: float
    probe: bool = False


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
        self._late: int | None = None  # seconds that a window outlasts its header; None: unproven
        self._keeper: Permit | None = None  # sent as the header's second began, to find out
        self._aims: deque[float] = deque()
        self._relaxed = False  # the window has enough for all who wait
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
            if self._probe is None:
                return 0.0
            handover = self._probe.sent + _PROBE
            return 0.0 if now >= handover else handover
        if self._silent:
            return 0.0
        room = self._room(now)
        if room <= 0:
            return self.turn
        return self._aim(now, room, waiting)

    def take(self, now: float) -> Permit:
        """Count one request as leaving; only after `admit` said so."""
        self._numbers += 1
        permit = Permit(self._numbers, now)
        if self._unknown(now):
            permit.probe = True
            self._probe = permit
        elif self._late is None and self.reset is not None and now >= self._end(0):
            self._keeper = permit
        elif self._aims and now >= self._aims[0]:
            self._aims.popleft()
        self.in_flight += 1
        return permit

    def _unknown(self, now: float) -> bool:
        """Whether nothing is known yet of the window that is open now."""
        if self._refusals or self._unreached > 1:
            return True
        return not self._silent and (self.remaining is None or now >= self.turn)

    def _room(self, now: float) -> int:
        assert self.remaining is not None
        assert self.limit is not None
        room = self.remaining - self.in_flight - self._lost
        if self._share < 1:
            room -= math.ceil(self.limit * (1 - self._share))
        if self.others:
            # What the others will have taken by the time that a request of ours arrives.
            room -= 1 + math.ceil(self.others * (now - self._word_at + self._latency))
        return room

    def _aim(self, now: float, room: int, waiting: int) -> float:
        """Spend a window's last requests where they teach the most of the server's clock."""
        learned = self._late is not None and self.clock.doubt <= _DOUBT
        if learned or self._relaxed or self.others or room > 2 * _AIMED:
            return 0.0
        if self.clock.doubt <= _DOUBT:
            self._aims.clear()
        if self._aims:
            return 0.0 if now >= self._aims[0] else self._aims[0]
        if self.in_flight and waiting + self.in_flight > room:
            return self.turn  # first see what these leave; their answers wake us
        if waiting <= room:
            self._relaxed = True  # there is enough for everybody: nothing is held back
            return 0.0
        if room == 1 and self._late is None:
            keep = self._end(0)
            return 0.0 if now >= keep else keep
        return self._aim_at_second(now, room)

    def _aim_at_second(self, now: float, room: int) -> float:
        """Spread requests over the time in which the server's second may turn."""
        doubt = self.clock.doubt
        count = min(room - (self._late is None), _AIMED)
        start = self.clock.maybe_past(math.ceil(self.clock.latest(now) or 0))
        if doubt <= _DOUBT or doubt > _KNOWN or start + doubt > self.turn - _SPARE:
            return 0.0
        self._aims.extend(start + doubt * (i + 1) / (count + 1) for i in range(count))
        return self._aims[0]

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
        if permit.sent >= self._unreached_at:
            self._unreached += 1
        self._unreached_at = now
        if self._unreached > 1:
            self._hold = max(self._hold, now + min(0.02 * 2.0**self._unreached, 1.0))

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
            self._wordless()
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

    def _wordless(self) -> None:
        if self.remaining is None:
            self._silent = True
        else:
            self._lost += 1  # a proxy's answer: whether it was counted is not known

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
            if permit is self._keeper:
                self._late = 0
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
            if sent_after or permit is self._keeper:
                self._late = 1  # it was to be over by now: this server's headers run early
        self._counted += 1
        self._word_at = now
        self._see_others(words, now)
        self.turn = self._end(1 if self._late is None else self._late)
        if sent_after:
            self._stale = self._stale + 1 if self.turn < now + _OVER else 0
        self._silent = self._stale >= _STALE

    def _open(self, words: Words, now: float) -> None:
        """The first words of a window."""
        self._aims.clear()
        self._keeper = None
        self._relaxed = False
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
        return asked if asked is not None else min(2.0 ** (self._refusals - 1), _MINUTE)

    def _end(self, late: int) -> float:
        assert self.reset is not None
        return self.clock.surely_past(self.reset) + late + _EPSILON

    @property
    def spent(self) -> bool:
        """Whether refusals outlast the resets: a longer quota, a day's, is used up."""
        return self._outlasted >= 2
