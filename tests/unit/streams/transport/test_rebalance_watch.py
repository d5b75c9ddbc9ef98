"""A rebalance that stands still ends the process; one that goes on, or is over, does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from schemas.errors import ShutdownError
from streams.roles.view import build
from streams.settings import Settings
from streams.transport.app import HealthApp
from streams.transport.rebalance_watch import RebalanceWatch


@dataclass
class App:
    """What the watch looks at."""

    rebalancing: bool = True
    rebalancing_count: int = 1
    remaining: int = 0
    failures: list[BaseException] = field(default_factory=list)

    @property
    def tables(self) -> Any:
        """Return tables whose recovery has ``remaining`` records to go."""
        recovery = SimpleNamespace(
            active_remaining_total=lambda: self.remaining, standby_remaining_total=lambda: self.remaining
        )
        return SimpleNamespace(recovery=recovery)

    def fail(self, error: BaseException) -> None:
        """Keep the error."""
        self.failures.append(error)


class Clock:
    """Stands where it is put."""

    now = 1000.0

    def time(self) -> float:
        """Return the time."""
        return self.now

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


def watch(app: App, clock: Clock, session: float = 6.0) -> RebalanceWatch:
    """Return the watch of ``app``."""
    return RebalanceWatch(cast(HealthApp, app), clock, session)


def test_a_rebalance_that_stands_still_fails_the_app() -> None:
    app, clock = App(), Clock()
    watched = watch(app, clock)
    watched.look()
    clock.now += 30.0
    watched.look()
    assert app.failures == []
    clock.now += 1.0
    watched.look()
    assert [type(error) for error in app.failures] == [ShutdownError]


def test_progress_another_rebalance_and_an_end_start_the_time_afresh() -> None:
    app, clock = App(remaining=5), Clock()
    watched = watch(app, clock)
    for _ in range(20):  # one record in 20 s is slow, and goes on
        app.remaining += 1
        watched.look()
        clock.now += 20.0
    app.rebalancing_count += 1
    watched.look()
    clock.now += 29.0
    app.rebalancing = False
    watched.look()
    app.rebalancing = True
    clock.now += 29.0
    watched.look()
    clock.now += 29.0
    watched.look()
    assert app.failures == []


def test_a_long_session_time_out_gives_more_time() -> None:
    app, clock = App(), Clock()
    watched = watch(app, clock, session=45.0)
    watched.look()
    clock.now += 225.0
    watched.look()
    assert app.failures == []
    clock.now += 1.0
    watched.look()
    assert len(app.failures) == 1


async def test_role_view_starts_it() -> None:
    assert RebalanceWatch.run.__qualname__ in [task.__qualname__ for task in build(Settings())._app_tasks]
