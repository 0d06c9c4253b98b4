"""What the tour needs for each kind of model, and the volume that the sample's claim finds."""

from pathlib import Path

import yaml

from demonstration.steps import Tour, model_volume, with_model


def test_a_simulated_tour_builds_no_model_server() -> None:
    assert "vllm-cpu" not in Tour("demo", simulated=True).images
    assert Tour("demo", simulated=False).images[-1] == "vllm-cpu"


def test_both_samples_are_the_same_council_but_for_the_model() -> None:
    real, simulated = (
        yaml.safe_load(Tour("demo", simulated=kind).council_sample.read_text()) for kind in (False, True)
    )
    assert "vllm" in real["spec"].pop("models")[0]
    assert "simulated" in simulated["spec"].pop("models")[0]
    assert real == simulated


def test_the_volume_is_bound_to_the_claim_of_the_sample() -> None:
    volume, claim = model_volume(Path("/models"))
    sample = yaml.safe_load(Tour("demo", simulated=False).council_sample.read_text())
    wanted = sample["spec"]["models"][0]["vllm"]["weights"]["persistentVolumeClaim"]["claimName"]
    assert claim["metadata"]["name"] == wanted == volume["spec"]["claimRef"]["name"]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"] == ["ReadOnlyMany"]


def test_the_prepared_model_is_that_of_the_sample_and_another_may_take_its_place() -> None:
    sample = yaml.safe_load(Tour("demo", simulated=False).council_sample.read_text())
    assert with_model(sample, "gemma3-270m") == sample
    vllm = with_model(sample, "Qwen3-0.6B")["spec"]["models"][0]["vllm"]
    assert (vllm["model"], vllm["weights"]["persistentVolumeClaim"]["path"]) == ("Qwen3-0.6B", "Qwen3-0.6B")
