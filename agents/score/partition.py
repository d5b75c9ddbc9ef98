"""The logic of one partition of the raw topic: decode, route, step, and what must be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import inf
from typing import Any, Final

import msgspec

from agents.ports import Checkpoint, Chunk, Inputs, Output
from agents.score import host
from agents.score import step as score
from agents.score.bundles import Bundles
from agents.score.dead_letters import DeadLetters
from agents.score.deadlines import Deadlines
from agents.score.departures import departure_of
from agents.score.options import NO_SOURCE, Counts, ScoreOptions
from agents.score.records import Record
from agents.score.state_records import EVIDENCE, HOT, WINDOW, key_of, new_state, split_key, unpack
from agents.score.status import gpu_status, is_news
from agents.score.step import Bundle
from agents.status_pace import StatusPace
from models.alerts import lifecycle
from models.alerts.clock import AHEAD_SECONDS, BEHIND_SECONDS, wrong_by
from models.gpu import packing
from models.gpu.state import GpuState
from schemas.dead_letter import Reason
from schemas.errors import InvalidMessage
from schemas.sample import CLOCK_AHEAD_SECONDS, Sample, to_sample
from schemas.shapes import Shapes
from schemas.topics import ALERTS, METRICS_RAW, RECOMMENDATIONS, REKEYED_HEADER, STATUS

FORGET_SECONDS: Final = 30 * 86_400.0
_FORGET_CHECK_SECONDS: Final = 3600.0
_HOUR: Final = 3600
_SPREAD_RATIO: Final = 0.95
_encode: Final = msgspec.json.Encoder().encode
_URGENT: Final = frozenset((ALERTS, RECOMMENDATIONS))


class ScorePartition:
    """Owns the state of every GPU whose id falls into one partition (see agents.ports.PartitionLogic)."""

    def __init__(
        self,
        partition: int,
        partition_of: Callable[[bytes], int],
        inputs: Inputs,
        options: ScoreOptions | None = None,
    ) -> None:
        self.partition = partition
        self.states: dict[str, GpuState] = {}
        self.counts = Counts()
        self.clock = -inf
        self._partition_of = partition_of
        self._options = options or ScoreOptions()
        self._bundles = Bundles(inputs)
        self._shapes = Shapes()
        self._outputs: list[Output] = []
        self._urgent = False
        self._dirty: dict[str, GpuState] = {}
        self._windows: set[str] = set()
        self._forgotten: list[str] = []
        self._deadlines = Deadlines()
        self._pace = StatusPace(self._options.status_records_per_second)
        self._phases: dict[str, float] = {}
        self._restored: dict[str, dict[bytes, bytes]] = {}
        self._letters = DeadLetters(partition, self._options.dead_letters_per_minute)
        self._history_until = -inf
        self._next_forget = -inf
        self._silence_from = -inf
        self._inputs = inputs
        self._departures_of = -1

    # -- restore -------------------------------------------------------------------------------------------

    def restore(self, key: bytes, value: bytes) -> None:
        """Take one live record of the state topic."""
        gpu_id, kind = split_key(key)
        self._restored.setdefault(gpu_id, {})[kind] = value

    def restored(self, extra: Mapping[str, Any], fresh: bool) -> None:
        """Build the states of the records given.

        Raises
        ------
        ShutdownError
            A record was written by a newer version.
        """
        for gpu_id, records in self._restored.items():
            self.states[gpu_id] = unpack(gpu_id, records)
        self._restored = {}
        self._letters.restore(extra.get("letters"))
        until = extra.get("history_until")
        self._history_until = inf if fresh and not self._options.offline else until if until is not None else -inf
        for gpu_id in self.states:
            self._watch(gpu_id, self.states[gpu_id])

    def reset_deadlines(self, clock: float) -> None:
        """Silence starts afresh at ``clock``; a fresh partition's history ends there."""
        if self._history_until == inf:
            self._history_until = clock
        self.clock = max(self.clock, clock)
        self._silence_from = clock

    def position_extra(self) -> Mapping[str, Any]:
        """Return what is stored beside the position."""
        until = self._history_until
        return {
            "history_until": until if abs(until) != inf else None,
            "inputs": self._bundles.versions(),
            "letters": self._letters.to_plain(),
        }

    # -- messages ------------------------------------------------------------------------------------------

    def process(self, chunk: Chunk) -> None:
        """Run the step over every record of ``chunk``."""
        states, dirty, deadlines, phases = self.states, self._dirty, self._deadlines, self._phases
        history_until, silence_from = self._history_until, self._silence_from
        asset_of = self._bundles.asset
        decode, is_due = self._shapes.decode, self._pace.is_due
        keys = chunk.keys
        ahead = inf if self._options.offline else CLOCK_AHEAD_SECONDS
        times_ms = chunk.times_ms
        self.counts.messages += len(chunk.values)
        if times_ms:
            self.clock = max(self.clock, max(times_ms) / 1000.0)
        self._note_departures()
        bundle: Bundle | None = None  # inputs do not change within a chunk
        for index, value in enumerate(chunk.values):
            append_time = times_ms[index] / 1000.0
            try:
                raw, fitted = decode(keys[index], value)
                gpu_id = raw.gpu_id
                state = states.get(gpu_id)
                if state is None:
                    state = self._first_sight(gpu_id, raw.host_id, chunk, index)
                    if state is None:
                        continue
                sample = to_sample(raw, append_time, fitted)
                time = sample.time
                if time > append_time + ahead:
                    self._heard(state, sample, append_time)
                    detail = f"{time - append_time:.0f} s ahead of the broker's clock"
                    raise InvalidMessage(Reason.CLOCK_AHEAD, detail)
            except InvalidMessage as error:
                self._dead_letter(error, chunk, index)
                continue
            states[gpu_id] = dirty[gpu_id] = state
            if bundle is None or not bundle.valid_from <= time < bundle.valid_until:
                bundle = self._bundles.at(time)
            if append_time <= history_until:
                sample.history = True
            if not -BEHIND_SECONDS <= time - append_time <= AHEAD_SECONDS or state.clock_ahead_seconds:
                self._note_clock(state, sample, append_time)
            if sample.unknown or sample.dropped:
                self._count(sample)
            late, before = state.late_samples, state.append_time
            phase = phases.get(gpu_id)
            if phase is None:
                phase = phases[gpu_id] = _phase(gpu_id)
            if sample.is_host:
                _, records = host.step(state, sample, bundle, silence_from)
            else:
                _, records = score.step(state, sample, bundle, asset_of, silence_from)
            if state.late_samples != late:
                self.counts.late[sample.source or NO_SOURCE] += 1
                self._heard(state, sample, append_time)
            news = self._publish(gpu_id, records) if records else False
            # By append time: a backlog of a week must not become a week's worth of statuses.
            if is_news(state, news) or is_due(before, state.append_time, phase, len(states), state.interval_seconds):
                self._publish_status(state)
            # A rule's deadline may come before the one waited for; nobody waits for a recording to go on.
            if records or (gpu_id not in deadlines and not sample.history):
                self._watch(gpu_id, state)
            # All window records at the start of the hour would be a burst of the whole fleet's.
            if state.pending_rows and time >= (state.windows.hour + phase * _SPREAD_RATIO) * _HOUR:
                self._windows.add(gpu_id)

    def _note_clock(self, state: GpuState, sample: Sample, append_time: float) -> None:
        """Keep by how much the clock that dated ``sample`` is wrong; a recording and a log line have other times."""
        if sample.has_metrics:
            before = state.clock_ahead_seconds
            state.clock_ahead_seconds = 0.0 if sample.history else wrong_by(sample.time, append_time)
            if (before == 0.0) is not (state.clock_ahead_seconds == 0.0):
                state.evidence_dirty = True

    def _heard(self, state: GpuState, sample: Sample, append_time: float) -> None:
        """A sample that cannot be taken shows that its GPU or host lives, and by how much its clock is wrong.

        A host whose first messages are refused is known from then on, so that somebody can tell of its clock.
        """
        if not sample.has_metrics or not (state.samples or sample.is_host):
            return
        self._note_clock(state, sample, append_time)
        before, state.heard_at = state.heard, append_time
        state.evidence_dirty = True
        self.states[state.gpu_id] = self._dirty[state.gpu_id] = state
        phase = self._phases.setdefault(state.gpu_id, _phase(state.gpu_id))
        if before != before or self._pace.is_due(
            before, append_time, phase, len(self.states), state.interval_seconds
        ):
            self._publish_status(state, of_sample=False)

    def take(self, value: bytes, append_time: float) -> InvalidMessage | None:
        """Take one message of an offline replay; return why it was refused, None if it was taken."""
        chunk = Chunk(
            METRICS_RAW, self.partition, 0, 1, -1, [0], [round(append_time * 1000)], [None], [value], [False]
        )
        before = sum(self.counts.dead.values())
        self.process(chunk)
        return InvalidMessage("refused", "") if sum(self.counts.dead.values()) > before else None

    def _first_sight(self, gpu_id: str, host_id: str, chunk: Chunk, index: int) -> GpuState | None:
        """Return a new state; None where the message was sent on to the partition of its gpu_id."""
        key = gpu_id.encode()
        if not self._options.offline and self._partition_of(key) != self.partition:
            if chunk.rekeyed[index]:
                raise InvalidMessage(Reason.WRONG_PARTITION, f"re-keyed, and still in partition {self.partition}")
            value = chunk.values[index]
            self._outputs.append(Output(METRICS_RAW, key, value or b"", ((REKEYED_HEADER, b"1"),)))
            self.counts.rekeyed += 1
            return None
        if len(self.states) >= self._options.max_gpus:
            raise InvalidMessage(Reason.TOO_MANY_GPUS, f"{len(self.states)} gpu_ids are known, the limit is reached")
        state = new_state(gpu_id, host_id)
        state.departure = departure_of(self._inputs, gpu_id, self.clock)
        return state

    def _dead_letter(self, error: InvalidMessage, chunk: Chunk, index: int) -> None:
        self.counts.dead[error.reason] += 1
        self._add(self._letters.suppressed(chunk.times_ms[index] / 1000.0))
        self._add(self._letters.letter(error, chunk, index))

    def _add(self, output: Output | None) -> None:
        if output is not None:
            self._outputs.append(output)

    def _count(self, sample: Sample) -> None:
        source = sample.source or NO_SOURCE
        if sample.unknown:
            self.counts.unknown_names[source] += sample.unknown
        self.counts.dropped.update((source, reason) for _, reason in sample.dropped)

    def _publish(self, gpu_id: str, records: list[Record]) -> bool:
        """Publish ``records``; tell whether an alert or a recommendation is among them."""
        key = gpu_id.encode()
        urgent = False
        for record in records:
            self._outputs.append(Output(record.topic, key, _encode(record.value)))
            urgent = urgent or record.topic in _URGENT
        self._urgent = self._urgent or urgent
        return urgent

    def _publish_status(self, state: GpuState, *, of_sample: bool = True) -> None:
        self._outputs.append(Output(STATUS, state.gpu_id.encode(), _encode(gpu_status(state, of_sample=of_sample))))

    # -- deadlines -----------------------------------------------------------------------------------------

    def _deadline(self, state: GpuState) -> float:
        return lifecycle.next_deadline(state, self._bundles.at(state.time).rules, self._silence_from)

    def _watch(self, gpu_id: str, state: GpuState) -> None:
        self._deadlines.watch(gpu_id, self._deadline(state))

    def advance(self, clock: float) -> None:
        """The partition's clock reached ``clock``: deadlines up to it fall due."""
        self.clock = max(self.clock, clock)
        self._add(self._letters.suppressed(clock))
        self._note_departures()
        for gpu_id in self._deadlines.due(clock):
            state = self.states.get(gpu_id)
            if state is None:
                continue
            state.departure = departure_of(self._inputs, gpu_id, clock)  # a removal foretold may have come
            if self._deadline(state) <= clock:
                records = [
                    Record(ALERTS, event)
                    for event in lifecycle.due(
                        state,
                        event_time=-inf,
                        clock=clock,
                        rules=self._bundles.at(state.time).rules,
                        silence_from=self._silence_from,
                    )
                ]
                if records:
                    self._publish_unasked(state, records)
            self._watch(gpu_id, state)
        if clock >= self._next_forget:
            self._next_forget = clock + _FORGET_CHECK_SECONDS
            self._departures_of = -1  # a removal foretold may have come
            self._forget(clock)

    def _publish_unasked(self, state: GpuState, records: list[Record]) -> None:
        """Publish what no sample brought."""
        state.steady = None  # the advice is decided on the alerts that are open
        self._dirty[state.gpu_id] = state
        self._publish(state.gpu_id, records)
        self._publish_status(state)

    def _note_departures(self) -> None:
        """Look who has left where any side input is new; what is open of those that are silent already ends."""
        generation = self._inputs.generation()
        if generation == self._departures_of:
            return
        self._departures_of = generation
        for gpu_id, state in self.states.items():
            state.departure = left = departure_of(self._inputs, gpu_id, self.clock)
            missing = state.alerts.get("gpu_missing")
            if left is None or missing is None or not left.explains(state.append_time):
                continue
            self._publish_unasked(state, [Record(ALERTS, event) for event in lifecycle.leave(state, left)])
            self._watch(gpu_id, state)

    def _forget(self, clock: float) -> None:
        silent = [gpu_id for gpu_id, state in self.states.items() if state.heard < clock - FORGET_SECONDS]
        for gpu_id in silent:
            del self.states[gpu_id]
            self._dirty.pop(gpu_id, None)
            self._windows.discard(gpu_id)
            self._phases.pop(gpu_id, None)
            self._forgotten.append(gpu_id)

    # -- checkpoint ----------------------------------------------------------------------------------------

    @property
    def urgent(self) -> bool:
        """Whether an alert or a recommendation waits to be published."""
        return self._urgent

    @property
    def dirty(self) -> bool:
        """Whether anything waits for a checkpoint."""
        return bool(self._dirty or self._outputs or self._forgotten)

    def drain(self) -> Checkpoint:
        """Return and forget what waits for a checkpoint."""
        states: list[tuple[bytes, bytes | None]] = []
        for gpu_id in self._windows:
            state = self.states[gpu_id]
            state.pending_rows = []
            state.evidence_dirty = True
            states.append((key_of(gpu_id, WINDOW), packing.pack_window(state)))
        for gpu_id, state in self._dirty.items():
            states.append((key_of(gpu_id, HOT), packing.pack_hot(state)))
            if state.evidence_dirty:
                states.append((key_of(gpu_id, EVIDENCE), packing.pack_evidence(state)))
                state.evidence_dirty = False
        for gpu_id in self._forgotten:
            states.extend((key_of(gpu_id, kind), None) for kind in (HOT, EVIDENCE, WINDOW))
            self._outputs.append(Output(STATUS, gpu_id.encode(), None))
        checkpoint = Checkpoint(self._outputs, states)
        self._outputs, self._dirty, self._windows, self._forgotten = [], {}, set(), []
        self._urgent = False
        return checkpoint


def _phase(gpu_id: str) -> float:
    """Return the GPU's own place, at least 0 and below 1, among all that happens to each GPU in turn."""
    return int.from_bytes(blake2b(gpu_id.encode(), digest_size=2).digest(), "little") / 65536.0
