"""What doctor says about a scrape: which scores it cannot feed, and what to do."""

from __future__ import annotations

from schemas.signals import INDEX
from streams.doctor.exporter import ADVISED, REQUIRED, judge_scrape
from streams.doctor.finding import Finding, as_table, exit_code

STOCK = "".join(
    f'{name}{{gpu="0",UUID="GPU-1"}} 1\n'
    for name in (
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "DCGM_FI_DEV_XID_ERRORS",
        "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    )
)
MEMORY = "".join(
    f'{name}{{gpu="0",UUID="GPU-1"}} 0\n'
    for name in ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL")
)


def test_a_stock_exporter_has_no_memory_score_and_doctor_says_why() -> None:
    problems = [finding for finding in judge_scrape("u", STOCK) if finding.state == "problem"]
    assert [finding.what for finding in problems] == ["no memory score: signals are not sent"]
    assert problems[0].evidence == "ecc_sbe_volatile_total, ecc_dbe_volatile_total"
    assert "dcgm-counters.csv" in problems[0].repair


def test_a_signal_that_one_gpu_lacks_is_missing() -> None:
    assert exit_code(judge_scrape("u", STOCK + MEMORY)) == 0
    second = 'DCGM_FI_DEV_GPU_TEMP{gpu="1",UUID="GPU-2"} 1\n'
    assert exit_code(judge_scrape("u", STOCK + MEMORY + second)) == 1


def test_a_page_without_gpus_is_a_problem() -> None:
    (finding,) = judge_scrape("u", "# HELP x\ngo_goroutines 5\n")
    assert (finding.state, finding.evidence) == ("problem", "1 no_labels")


def test_damage_is_told() -> None:
    findings = judge_scrape("u", STOCK + MEMORY + 'A{UUID="cut\n')
    assert any(finding.evidence == "line 9: labels without an end" for finding in findings)


def test_only_real_signals_are_asked_for() -> None:
    for table in (REQUIRED, ADVISED):
        for groups in table.values():
            for group in groups:
                assert set(group) <= set(INDEX)


def test_the_table_puts_the_repair_under_its_finding() -> None:
    text = as_table([Finding(check="broker", state="problem", what="away", evidence="h:1", repair="start it")])
    assert text.splitlines() == ["problem  broker     away (h:1)", " " * 20 + "repair: start it"]
