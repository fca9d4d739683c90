"""Whose turn it is: which of many runs get the cores, and when each will start and end.

Runs take turns at the ends of their epochs. Whoever has no epoch yet comes first, so that all
see something soon; then the one that ends first, so that short ones do not wait for long ones.
Every fourth turn goes to whoever has waited longer than PATIENCE, so that no one starves.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

PATIENCE = 30.0  # seconds that a training waits for its next turn before it is preferred
EVERY = 4  # turns, of which one goes to a training that has waited for longer
SLICE = 10.0  # seconds of one turn, within an epoch if the epoch takes longer
SHORTEST = 2.0  # seconds of one turn, in several epochs if they are shorter
MOST_TURNS = 1000  # that a forecast plays through
STARVING, NEW, BY_END = range(3)  # classes of claims, the first one first


@dataclass(frozen=True)
class Claim:
    """A training that wants the cores."""

    id: str
    epochs_left: float
    epoch_seconds: float  # on one core
    epochs_done: int = 0
    used: float = 0.0  # seconds of its turns so far
    waiting_since: float = 0.0  # seconds, by the clock that `now` is read from
    owner: str = ""  # one training at a time for each owner; no limit without one

    @property
    def seconds_left(self) -> float:
        """Seconds of work until it ends."""
        return self.epochs_left * self.epoch_seconds

    @property
    def is_new(self) -> bool:
        """Whether nothing of it can be seen yet. A first epoch may take longer than a turn."""
        return not self.epochs_done and self.used < SLICE


def order(claim: Claim, now: float, turn: int) -> tuple:
    """Return a key: the claim with the smallest one gets the turn with this number."""
    patient = now - claim.waiting_since < PATIENCE
    if not patient and turn % EVERY == 1:
        return STARVING, claim.waiting_since
    if claim.is_new:
        return NEW, claim.waiting_since
    return BY_END, claim.seconds_left


def eligible(claims: Iterable[Claim], running_owners: Iterable[str]) -> list[Claim]:
    """Return the claims that may get a turn: of each owner the first, if none of theirs runs."""
    taken = {owner for owner in running_owners if owner}
    found = []
    for claim in claims:
        if claim.owner in taken:
            continue
        if claim.owner:
            taken.add(claim.owner)
        found.append(claim)
    return found


def yields(runner: Claim, others: Sequence[Claim], now: float, seconds: float) -> bool:
    """Return whether a training gives its core away, after this many seconds of its turn."""
    if not others:
        return False
    if any(other.is_new for other in others):  # also where another has waited for long
        return True
    best = min(order(other, now, turn=1) for other in others)
    return seconds >= SHORTEST and best < (BY_END, runner.seconds_left)


def forecast(
    running: Sequence[Claim], waiting: Sequence[Claim], cores: int, now: float, turn: int
) -> dict[str, tuple[float, float]]:
    """Return in how many seconds each training gets its next turn, and ends.

    Args:
        running: runs that have a core now.
        waiting: the others, in the order in which they came.
        cores: runs that can run at the same time.
        now: seconds, by the clock of `waiting_since`.
        turn: number of the next turn.

    Returns:
        id -> (start, end); the start of a running one is 0.
    """
    starts, ends = {claim.id: 0.0 for claim in running}, {}
    begun = now
    # (when the turn ends, the training, epochs of this turn), for each core in use
    playing = [_turn(claim, now) for claim in running]
    waiting = list(waiting)
    places = {claim.id: place for place, claim in enumerate((*running, *waiting))}
    for _ in range(MOST_TURNS):
        while waiting and len(playing) < cores:
            able = eligible(waiting, [claim.owner for _, claim, _ in playing])
            if not able:
                break
            chosen = min(able, key=lambda claim: order(claim, now, turn))
            waiting.remove(chosen)
            starts.setdefault(chosen.id, now - begun)
            playing.append(_turn(chosen, now))
            turn += 1
        if not playing:
            return {name: (starts[name], ends[name]) for name in ends}
        playing.sort(key=lambda each: each[0])
        now, claim, epochs = playing.pop(0)
        if epochs >= claim.epochs_left:
            ends[claim.id] = now - begun
        else:
            waiting.append(_after(claim, epochs, now))
            waiting.sort(key=lambda each: places[each.id])
    rest = sorted(
        [*waiting, *(claim for _, claim, _ in playing)], key=lambda each: each.seconds_left
    )
    for claim in rest:  # too many to play through: one after another
        starts.setdefault(claim.id, now - begun)
        now += claim.seconds_left / cores
        ends[claim.id] = now - begun
    return {name: (starts[name], ends[name]) for name in ends}


def _turn(claim: Claim, now: float) -> tuple[float, Claim, float]:
    """Return when a turn that starts now ends, whose it is, and how many epochs it has."""
    if claim.epoch_seconds > SLICE:
        epochs = SLICE / claim.epoch_seconds
    elif not claim.epochs_done:
        epochs = 1
    else:
        epochs = math.ceil(SHORTEST / max(claim.epoch_seconds, 1e-3))
    epochs = min(epochs, claim.epochs_left)
    return now + epochs * claim.epoch_seconds, claim, epochs


def _after(claim: Claim, epochs: float, now: float) -> Claim:
    return replace(
        claim,
        epochs_left=claim.epochs_left - epochs,
        epochs_done=claim.epochs_done + math.ceil(epochs),
        used=claim.used + epochs * claim.epoch_seconds,
        waiting_since=now,
    )
