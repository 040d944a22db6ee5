"""Failed logins slow the next ones down, and lock nobody out (H2, H9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oct.pop.throttle import Slowness, Throttle

SLOW = Slowness(first=1, cap=8, memory=100, trust=1000)
HOME, STRANGER = "10.0.0.1", "203.0.113.9"


def delay(throttle: Throttle, login: str, address: str, now: float) -> float | None:
    turn = throttle.enter(login, address, now)
    if turn is None:
        return None
    throttle.leave(turn)
    return turn.delay


def test_the_delay_doubles_up_to_a_cap_and_is_forgotten() -> None:
    throttle = Throttle(SLOW)
    seen = []
    for _ in range(6):
        seen.append(delay(throttle, "a", STRANGER, 0))
        throttle.failed("a", STRANGER, 0)
    assert seen == [0, 1, 2, 4, 8, 8]
    assert delay(throttle, "a", STRANGER, 99) == 8
    assert delay(throttle, "a", STRANGER, 100) == 0


def test_an_address_answers_for_all_the_logins_it_tries_and_a_login_for_all_addresses() -> None:
    throttle = Throttle(SLOW)
    throttle.failed("a", STRANGER, 0)
    throttle.failed("b", STRANGER, 0)
    assert delay(throttle, "c", STRANGER, 0) == 2
    assert delay(throttle, "a", "198.51.100.7", 0) == 1
    assert delay(throttle, "c", "198.51.100.7", 0) == 0


def test_a_stranger_cannot_slow_down_who_was_there_before() -> None:
    throttle = Throttle(SLOW)
    throttle.succeeded("a", HOME, 0)
    for _ in range(50):
        throttle.failed("a", STRANGER, 0)
        throttle.failed("b", HOME, 0)
    assert delay(throttle, "a", HOME, 1) == 0
    assert delay(throttle, "a", HOME, 1000) == 0
    throttle.failed("a", STRANGER, 1000)
    assert delay(throttle, "a", HOME, 1000) == 1


def test_who_was_there_before_still_answers_for_its_own_failures() -> None:
    throttle = Throttle(SLOW)
    throttle.succeeded("a", HOME, 0)
    throttle.failed("a", HOME, 1)
    throttle.failed("a", HOME, 1)
    assert delay(throttle, "a", HOME, 1) == 2
    throttle.succeeded("a", HOME, 3)
    assert delay(throttle, "a", HOME, 3) == 0


def test_an_address_waits_for_one_login_at_a_time() -> None:
    throttle = Throttle(SLOW)
    throttle.failed("a", STRANGER, 0)
    throttle.succeeded("c", STRANGER, 0)
    turn = throttle.enter("a", STRANGER, 0)
    assert turn is not None
    assert delay(throttle, "b", STRANGER, 0) is None
    assert delay(throttle, "c", STRANGER, 0) == 0
    assert throttle.enter("b", STRANGER, 0) is None
    throttle.leave(turn)
    assert delay(throttle, "b", STRANGER, 0) == 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([HOME, STRANGER]), st.booleans(), st.floats(0, 9))))
def test_no_history_locks_anybody_out(history: list[tuple[str, str, bool, float]]) -> None:
    """An account cannot be closed by a stranger: the delay never exceeds the cap."""
    throttle, now = Throttle(SLOW), 0.0
    for login, address, good, pause in history:
        now += pause
        (throttle.succeeded if good else throttle.failed)(login, address, now)
    for address in (HOME, STRANGER, "198.51.100.7"):
        found = delay(throttle, "a", address, now)
        assert found is not None
        assert 0 <= found <= SLOW.cap


def test_memory_is_bounded() -> None:
    throttle = Throttle(SLOW)
    for number in range(11_000):
        throttle.failed(f"login{number}", STRANGER, 0)
        throttle.succeeded(f"login{number}", HOME, 0)
    assert len(throttle._failures) <= 10_000
    assert len(throttle._good) <= 10_000
    assert delay(throttle, "x", STRANGER, 0) == SLOW.cap
