from dataclasses import replace

from fault_campaign.judging import Batch, Campaign
from fault_campaign.modes import MODES
from fault_campaign.page import replace_section, write_section

HEADINGS = [mode.heading for mode in MODES.values()]
WARM, OWN = HEADINGS
FAILED = {"metadata": {}, "status": {"conditions": [{"type": "Succeeded", "status": "False", "reason": "NoQuorum"}]}}
SUCCEEDED = {"metadata": {}, "status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}
CALM = Batch({"0": SUCCEEDED}, {"0": {"start": 1}}, 9.6)


def section(struck: Batch) -> str:
    mode = MODES["Warm"]
    campaign = Campaign(CALM, seed=7, bounds=mode.bounds, batches=[struck])
    return write_section(campaign, mode, date="2026-11-23", cores=2)


def test_a_section_tells_of_its_campaign() -> None:
    text = section(replace(CALM, struck="nats", unfinished=1))
    assert "The model took 3000 ms for an answer.\nOn the average 1.0 of 1 Deliberations had not ended" in text
    assert "| kill -9 of the NATS pod, its volume kept | nothing | 1 | 1 | 1 | 1 |" in text
    assert (
        "2026-11-23, seed 7, 2 cores. 1 Deliberations in 1 strikes, 1 at once; undisturbed, a batch\ntook 10 s." in text
    )
    assert text.endswith("All were as undisturbed.\n")


def test_a_section_names_what_is_wrong() -> None:
    text = section(replace(CALM, bodies={"0": FAILED}, struck="nats", unfinished=1))
    assert text.endswith("Not as it must be: nats: 0 ended as NoQuorum.\n")


def test_a_section_is_put_in_its_place_and_the_other_one_stays() -> None:
    page = replace_section("", OWN, "own 1\n", headings=HEADINGS)
    page = replace_section(page, WARM, "warm\n\nmore\n", headings=HEADINGS)
    page = replace_section(page, OWN, "own 2\n", headings=HEADINGS)
    assert page.startswith("# What dies, and what becomes of it\n\nWritten by")
    assert page.endswith(f"two of each seat.\n\n## {WARM}\n\nwarm\n\nmore\n\n## {OWN}\n\nown 2\n")
