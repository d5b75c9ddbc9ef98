"""Kind webhook: a POST signed as Standard Webhooks 1.0.0 prescribes, and what its answer means."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from schemas.alert import Severity
from schemas.errors import ShutdownError
from streams.notify.receivers.address import refuse_address
from streams.notify.receivers.port import Attempt, Fields, Kind, Outcome

_TIMEOUT: Final = aiohttp.ClientTimeout(total=20.0, connect=10.0)
_DETAIL_BYTES: Final = 300
_USER_AGENT: Final = "gpu-health-notify/1"
# 408 and 429 are asked to come back later; 410 is told apart before.
_LATER: Final = frozenset((408, 425, 429))
_GONE: Final = 410
# A receiver that asks for more than this would lose the page rather than delay it.
LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0
_SECRET_PREFIX: Final = "whsec_"
# Standard Webhooks 1.0.0: 24 to 64 random bytes.
_SECRET_BYTES: Final = range(24, 65)


class Webhook(Fields, kw_only=True, forbid_unknown_fields=True):
    """``[[webhook]]`` in receivers.toml."""

    url: str
    secret_env: str

    def receiver(self, environment: Mapping[str, str]) -> WebhookReceiver:
        """Return the receiver, or raise what is unusable."""
        refused = refuse_address(self.url)
        if refused is not None:
            raise ShutdownError(f"receiver {self.name}: {refused}")
        secrets = _secrets(self.name, self.secret_env, environment)
        return WebhookReceiver(self.name, self.url, self.min_severity, secrets)


KIND: Final = Kind("webhook", Webhook)


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """An endpoint; ``secrets`` are tried by it in turn, so that they can be rotated."""

    name: str
    address: str
    min_severity: Severity
    secrets: tuple[bytes, ...] = field(repr=False)

    async def attempt(self, session: aiohttp.ClientSession, message_id: str, body: bytes, now: float) -> Attempt:
        """Send ``body`` once; every way it can fail is an outcome."""
        refused = refuse_address(self.address)
        if refused is not None:
            return Attempt(Outcome.LATER, refused)
        try:
            async with session.post(
                self.address,
                data=body,
                headers=headers(self.secrets, message_id, int(now), body),
                allow_redirects=False,
                timeout=_TIMEOUT,
            ) as response:
                answer = await response.content.read(_DETAIL_BYTES)
                return judge(response.status, answer, response.headers, now)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return Attempt(Outcome.LATER, f"{type(error).__name__}: {error}")


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature: ``v1,`` and the base64 of HMAC-SHA256 over id, timestamp and the very bytes sent.

    References
    ----------
    github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md (1.0.0). The value below is
    that of its reference libraries' tests.

    >>> import base64
    >>> secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of an attempt made at ``timestamp`` (whole epoch s)."""
    return {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
        "idempotency-key": message_id,
    }


def judge(status: int, answer: bytes, answer_headers: Mapping[str, str], now: float) -> Attempt:
    """Return what an answer means; a redirect is not followed and counts as a failure that may pass."""
    detail = f"HTTP {status} {answer.decode('utf-8', 'replace').strip()}".strip()
    if 200 <= status < 300:
        return Attempt(Outcome.DELIVERED, detail)
    if status == _GONE:
        return Attempt(Outcome.GONE, detail)
    if 400 <= status < 500 and status not in _LATER:
        return Attempt(Outcome.REFUSED, detail)
    return Attempt(Outcome.LATER, detail, retry_after(answer_headers.get("Retry-After"), now))


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, at most an hour; None: nothing readable.

    >>> retry_after("120", 0.0), retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 10.0), retry_after("soon", 0.0)
    (120.0, 20.0, None)
    """
    if value is None:
        return None
    if value.strip().isdigit():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _secrets(name: str, variable: str, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    words: Sequence[str] = environment.get(variable, "").split()
    if not words:
        raise ShutdownError(
            f"receiver {name}: the environment variable {variable} holds no secret; make one with "
            f'echo "{_SECRET_PREFIX}$(openssl rand -base64 32)"'
        )
    return tuple(_secret(name, variable, word) for word in words)


def _secret(name: str, variable: str, word: str) -> bytes:
    try:
        secret = base64.b64decode(word.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not word.startswith(_SECRET_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise ShutdownError(
            f"receiver {name}: {variable} must hold {_SECRET_PREFIX} and the base64 of 24 to 64 random bytes "
            "(two such words, apart by a space, while it is rotated)"
        )
    return secret
