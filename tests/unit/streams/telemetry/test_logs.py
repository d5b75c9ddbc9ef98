"""Log lines as text and as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from streams.settings import Settings
from streams.telemetry.logs import JsonFormatter, configure_logging


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_holds_the_exception() -> None:
    try:
        raise ValueError("wrong")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("streams.x", logging.WARNING, __file__, 1, "it is %s", ("so",), info)
    line = json.loads(JsonFormatter("score").format(record))
    assert (line["level"], line["process"], line["message"]) == ("WARNING", "score", "it is so")
    assert "ValueError: wrong" in line["exception"]


@pytest.mark.usefixtures("root_logger")
def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"), "view")
    logging.getLogger("any").warning("seen")
    logging.getLogger("any").debug("not seen")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [json.loads(line)["message"] for line in captured.err.splitlines()] == ["seen"]
