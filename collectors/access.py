"""What an exporter asks of who reads it: a token, a name and password, TLS of its own authority, a certificate."""

from __future__ import annotations

import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.user_file import UserFileError, read_text

_MAX_SECRET_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Access:
    """How exporters are asked. Secrets are files, read at each request: whoever renews them restarts nothing.

    Parameters
    ----------
    token_file
        Its text is sent as a bearer token.
    username, password_file
        Sent as basic authentication.
    cafile, certfile, keyfile
        PEM files: authorities that the exporter is checked against, our certificate, its key.
    """

    token_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of a request.

        Raises
        ------
        UserFileError
            The token or the password cannot be read, or is empty.
        """
        if self.token_file is not None:
            return {"Authorization": f"Bearer {_secret(self.token_file, 'scrape token')}"}
        if self.username:
            password = _secret(self.password_file, "scrape password") if self.password_file is not None else ""
            pair = b64encode(f"{self.username}:{password}".encode())
            return {"Authorization": f"Basic {pair.decode()}"}
        return {}

    def tls(self) -> ssl.SSLContext | bool:
        """Return what requests by https are checked with; True: the system's authorities.

        Raises
        ------
        UserFileError
            A file cannot be used.
        """
        if self.cafile is None and self.certfile is None:
            return True
        named = [path for path in (self.cafile, self.certfile, self.keyfile) if path is not None]
        for path in named:
            if not path.is_file():
                raise UserFileError(f"{path} is no file")
        context = ssl.create_default_context()
        try:
            if self.cafile is not None:
                context.load_verify_locations(self.cafile)
            if self.certfile is not None:
                context.load_cert_chain(self.certfile, self.keyfile)
        except (ssl.SSLError, OSError) as error:
            raise UserFileError(f"{', '.join(map(str, named))} cannot be used: {error}") from None
        return context

    def check(self) -> None:
        """Make sure that all of it can be used.

        Raises
        ------
        UserFileError
            It cannot; the text is a sentence.
        """
        if self.token_file is not None and (self.username or self.password_file is not None):
            raise UserFileError("a token and a password: an exporter takes one of them")
        if self.password_file is not None and not self.username:
            raise UserFileError("a password without a user name")
        if self.keyfile is not None and self.certfile is None:
            raise UserFileError("a key without its certificate")
        self.headers()
        self.tls()


def _secret(path: Path, what: str) -> str:
    """Return the one line of a file; a line break inside would begin another header."""
    text = read_text(path, what).strip()
    if not text or len(text) > _MAX_SECRET_CHARS or not text.isprintable():
        raise UserFileError(f"{what} {path} holds no single line of text")
    return text


# An exporter that asks for nothing.
OPEN: Final = Access()
