"""The lease: after a stall nobody acts as leader until a checkpoint proved that it still is one."""

from __future__ import annotations

import asyncio

from streams.leading.lease import Lease

SESSION_SECONDS = 6.0


class HandClock:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        """Return epoch seconds."""
        return self.now

    def monotonic(self) -> float:
        """Return seconds."""
        return self.now


async def acts(lease: Lease) -> bool:
    """Tell whether who asks may act at once."""
    asking = asyncio.create_task(lease.hold())
    for _ in range(3):
        await asyncio.sleep(0)
    done = asking.done()
    asking.cancel()
    return done


async def test_short_waits_are_no_stall() -> None:
    clock = HandClock()
    lease = Lease(SESSION_SECONDS, clock)
    for _ in range(10):
        clock.now += 2.9
        lease.look()
        assert await acts(lease)


async def test_after_a_stall_it_is_held_only_when_proved_again() -> None:
    clock = HandClock()
    lease = Lease(SESSION_SECONDS, clock)
    before = lease.stalls
    clock.now += 3.1
    assert not await acts(lease)
    lease.prove(before)  # a checkpoint that began before the stall proves nothing
    assert not await acts(lease)
    assert lease.doubted
    lease.prove(lease.stalls)
    assert await acts(lease)
    assert not lease.doubted


async def test_who_waits_goes_on_once_it_is_proved() -> None:
    clock = HandClock()
    lease = Lease(SESSION_SECONDS, clock)
    clock.now += 60.0
    waiting = asyncio.create_task(lease.hold())
    await asyncio.sleep(0)
    lease.prove(lease.stalls)
    await asyncio.wait_for(waiting, 1.0)


async def test_a_stall_is_noticed_whoever_looks_first() -> None:
    clock = HandClock()
    lease = Lease(SESSION_SECONDS, clock)
    pulse = asyncio.create_task(lease.run())
    await asyncio.sleep(0)
    clock.now += 60.0
    pulse.cancel()
    lease.look()  # as the pulse would, before anybody asks
    assert not await acts(lease)
