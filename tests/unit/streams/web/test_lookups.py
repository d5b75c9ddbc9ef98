"""Every look-up: its JSON, its filters, its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.streams.web.fleet import Tables, alert, client_of, open_alert, status

HOSTILE = "<script>alert(1)</script>"


def fleet() -> Tables:
    tables = Tables()
    tables.put(
        status("GPU-b", overall_score=40, band="poor", failure_probability_30d=0.2, risk_score=70),
        status("GPU-a", model=HOSTILE, alerts=[open_alert()]),
        status("GPU-c", missing=True, overall_score=93),
        status("host:node1", overall_score=None, band=None),
        alert("f1", gpu_id="GPU-a", severity="critical", page=True),
        alert("f2", gpu_id="GPU-b"),
        alert("f3", gpu_id="GPU-b", status="resolved"),
        alert("f4", gpu_id="GPU-b", starts_at="2026-02-09T13:00:00Z"),
    )
    return tables


async def test_gpus_lists_the_latest_status_of_each_gpu_without_hosts() -> None:
    async with client_of(fleet()) as client:
        response = await client.get("/gpus/")
        body = await response.json()
        assert response.content_type == "application/json"
        assert body["count"] == 3
        assert [gpu["gpu_id"] for gpu in body["gpus"]] == ["GPU-a", "GPU-b", "GPU-c"]
        assert body["gpus"][0]["values"] == {"gpu_temp_celsius": 51.0}
        assert body["summary"]["gpus"] == 3
        assert body["summary"]["open_alerts"] == 3
        with_hosts = await (await client.get("/gpus/?hosts=1")).json()
        assert with_hosts["count"] == 4


async def test_gpus_worst_first_and_cut_keeps_the_count() -> None:
    async with client_of(fleet()) as client:
        body = await (await client.get("/gpus/?sort=worst&limit=2")).json()
        assert [gpu["gpu_id"] for gpu in body["gpus"]] == ["GPU-a", "GPU-c"]
        assert body["count"] == 3


async def test_the_page_is_sent_what_changed() -> None:
    tables = fleet()
    async with client_of(tables) as client:

        async def since(cursor: str) -> dict[str, Any]:
            found: dict[str, Any] = await (await client.get(f"/gpus/?since={cursor}&limit=2")).json()
            return found

        first = await since("")
        assert first["order"] == ["GPU-a", "GPU-c"]
        assert [gpu["gpu_id"] for gpu in first["gpus"]] == ["GPU-a", "GPU-c"]
        assert (first["count"], first["summary"]["gpus"]) == (3, 3)
        still = await since(first["cursor"])
        assert (still["order"], still["gpus"]) == (first["order"], [])
        tables.put(status("GPU-c", overall_score=12, band="poor"))
        tables.put(status("GPU-d", alerts=[open_alert()]))
        moved = await since(still["cursor"])
        assert moved["order"] == ["GPU-a", "GPU-d"]
        assert [gpu["gpu_id"] for gpu in moved["gpus"]] == ["GPU-d"], "GPU-c is not among those asked for"
        del tables.status[b"GPU-a"]
        assert (await since(moved["cursor"]))["order"] == ["GPU-d", "GPU-c"]
        other = await since("0000.99")
        assert len(other["gpus"]) == 2, "a cursor of another worker"


async def test_an_empty_fleet_is_no_error() -> None:
    async with client_of(Tables()) as client:
        assert await (await client.get("/gpus/")).json() == {
            "count": 0,
            "summary": {
                "gpus": 0,
                "bands": dict.fromkeys(
                    ("excellent", "good", "fair", "degraded", "poor", "insufficient", "unscored"), 0
                ),
                "missing": 0,
                "open_alerts": 0,
                "simulated": False,
            },
            "gpus": [],
        }
        assert await (await client.get("/alerts/")).json() == {"count": 0, "alerts": []}
        assert await (await client.get("/risk/top/")).json() == {"count": 0, "gpus": []}
        assert await (await client.get("/recommendations/")).json() == {"count": 0, "recommendations": []}


@pytest.mark.parametrize(
    ("path", "gpu_id"),
    [("/gpus/GPU-a/", "GPU-a"), ("/gpus/host:node1/", "host:node1"), ("/gpus/host%3Anode1/", "host:node1")],
)
async def test_one_gpu_by_its_id_or_its_quoted_id(path: str, gpu_id: str) -> None:
    async with client_of(fleet()) as client:
        response = await client.get(path)
        assert (response.status, (await response.json())["gpu_id"]) == (200, gpu_id)


@pytest.mark.parametrize("end", ["", "explain/", "windows/"])
async def test_an_unknown_gpu_is_404_in_json(end: str) -> None:
    async with client_of(fleet()) as client:
        response = await client.get(f"/gpus/GPU-none/{end}")
        assert response.status == 404
        assert (await response.json())["error"]["status"] == 404


async def test_explain_gives_what_is_known_and_null_for_the_rest() -> None:
    tables = fleet()
    tables.health[b"GPU-a"] = b'{"overall_score":96,"penalties":[{"points":4.0}]}'
    tables.risk[b"GPU-a"] = b'{"contributions":[]}'
    async with client_of(tables) as client:
        body = await (await client.get("/gpus/GPU-a/explain/")).json()
        assert body == {
            "gpu_id": "GPU-a",
            "health": {"overall_score": 96, "penalties": [{"points": 4.0}]},
            "risk": {"contributions": []},
            "recommendation": None,
        }


async def test_alerts_are_the_open_ones_unless_asked_otherwise() -> None:
    async with client_of(fleet()) as client:
        body = await (await client.get("/alerts/")).json()
        assert [entry["fingerprint"] for entry in body["alerts"]] == ["f1", "f4", "f2"]
        resolved = await (await client.get("/alerts/?status=resolved")).json()
        assert [entry["fingerprint"] for entry in resolved["alerts"]] == ["f3"]
        assert (await (await client.get("/alerts/?status=all")).json())["count"] == 4
        assert (await client.get("/alerts/?status=none")).status == 400


async def test_risk_top_is_riskiest_first_and_cut() -> None:
    async with client_of(fleet()) as client:
        body = await (await client.get("/risk/top/?limit=1")).json()
        assert body["gpus"][0]["gpu_id"] == "GPU-b"
        assert body["gpus"][0]["failure_probability_30d"] == 0.2
        assert body["count"] == 1


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e3", "٣", "9999999"])
async def test_a_limit_that_is_none_is_400(limit: str) -> None:
    async with client_of(fleet()) as client:
        response = await client.get("/risk/top/", params={"limit": limit})
        assert (response.status, (await response.json())["error"]["status"]) == (400, 400)


async def test_recommendations_by_margin_and_by_action() -> None:
    tables = fleet()
    for gpu_id, action, margin in (("GPU-a", "KEEP", 10.0), ("GPU-b", "SELL", 900.0)):
        advice = {"gpu_id": gpu_id, "action": action, "margin_usd": margin}
        tables.advice[gpu_id.encode()] = json.dumps(advice).encode()
    async with client_of(tables) as client:
        body = await (await client.get("/recommendations/")).json()
        assert [entry["gpu_id"] for entry in body["recommendations"]] == ["GPU-b", "GPU-a"]
        kept = await (await client.get("/recommendations/?action=KEEP")).json()
        assert [entry["gpu_id"] for entry in kept["recommendations"]] == ["GPU-a"]
        assert (await client.get("/recommendations/?action=BURN")).status == 400


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/events/", 405),
        ("GET", "/ledger/", 404),
        ("GET", "/table/", 404),
        ("GET", "/router/", 404),
        ("POST", "/gpus/", 405),
        ("DELETE", "/gpus/GPU-a/", 405),
    ],
)
async def test_wrong_paths_and_methods_are_json(method: str, path: str, code: int) -> None:
    async with client_of(fleet()) as client:
        response = await client.request(method, path)
        body = await response.json()
        assert (response.status, body["error"]["status"]) == (code, code)
        assert body["error"]["message"]
        if code == 405:
            assert "GET" in response.headers["Allow"]


async def test_a_body_too_large_is_413_in_json() -> None:
    async with client_of(fleet(), token="t" * 20) as client:
        response = await client.post("/login/", data={"token": "x" * 200_000})
        assert (response.status, (await response.json())["error"]["status"]) == (413, 413)


@pytest.mark.expected_errors
async def test_an_error_of_ours_is_500_in_json_and_tells_nothing() -> None:
    tables = fleet()
    tables.put(status("GPU-broken"))
    async with client_of(tables) as client:
        response = await client.get("/gpus/GPU-broken/windows/")
        assert (response.status, (await response.json())["error"]["status"]) == (500, 500)
        assert "secret" not in await response.text()


async def test_health_and_readiness() -> None:
    async with client_of(Tables(), ready=False) as client:
        assert (await client.get("/healthz")).status == 200
        response = await client.get("/readyz")
        assert (response.status, (await response.json())["tables_restored"]) == (503, False)
    async with client_of(Tables()) as client:
        assert (await client.get("/readyz")).status == 200


async def test_metrics_tell_each_gpus_scores_and_escape_labels() -> None:
    tables = fleet()
    tables.put(status("GPU-d", model='a"b\nc', overall_score=None))
    async with client_of(tables) as client:
        text = await (await client.get("/metrics")).text()
    assert 'gpu_health_overall_score{gpu_id="GPU-b",host_id="node1",model="NVIDIA H100"} 40.0' in text
    assert 'gpu_health_missing{gpu_id="GPU-c",host_id="node1",model="NVIDIA H100"} 1.0' in text
    assert 'gpu_health_thermal_score{gpu_id="GPU-d",host_id="node1",model="a\\"b\\nc"} 95.0' in text
    assert 'gpu_health_overall_score{gpu_id="GPU-d"' not in text
    assert 'gpu_id="host:node1"' not in text
