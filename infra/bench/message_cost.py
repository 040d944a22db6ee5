"""What one message costs in CPU beside its bare cryptography, printed as a ratio; run by hand with `make bench`.

How it is measured stands in `oct/bench/floor.py`.
"""

from __future__ import annotations

from oct.bench.floor import cost
from oct.bench.traffic import FOUR

_ROUNDS = 300
_GOAL = 2.0


def print_cost() -> None:
    """CPU per message and the ratio to the floor."""
    found = cost(_ROUNDS)
    print(
        f"{FOUR.invoices} invoices, {FOUR.destinations} destinations, {found.octets} bytes: "
        f"{found.whole_ms * 1000:.0f} µs of CPU, bare cryptography {found.bare_ms * 1000:.0f} µs"
    )
    print(f"ratio {found.ratio:.2f} (goal: at most {_GOAL:.0f})")


if __name__ == "__main__":
    print_cost()
