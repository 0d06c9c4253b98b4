from importlib.util import module_from_spec, spec_from_file_location

import pytest

from council_operator.plan.gpu import Placement, Pool, Share
from council_operator.render import vllm
from deliberation.api.v1alpha1.gpu import Sharing
from deliberation.api.v1alpha1.vllm import VllmModel
from fakes.bodies import SETTINGS, council
from image_build.recipes import REPOSITORY

SPEC = spec_from_file_location("fake_vllm", REPOSITORY / "hack/dockerfiles/fake-vllm/fake_vllm.py")
assert SPEC is not None
assert SPEC.loader is not None
fake_vllm = module_from_spec(SPEC)
SPEC.loader.exec_module(fake_vllm)

SLICE = Placement(Pool("nvidia.com/gpu", Sharing.TIME_SLICING, 24_576, 4), slices=1, share=Share(23, 5652, 2048))


def rendered(placement: Placement | None, name: str = "fake/simulated", *own: str) -> list[str]:
    model = VllmModel.model_validate({"model": name, "revision": "abc", "engineArgs": own})
    body = vllm.render_deployment("model-1", model, "image", placement, vllm.Running.YES, council(), SETTINGS)
    arguments: list[str] = body["spec"]["template"]["spec"]["containers"][0]["args"]
    return arguments


@pytest.mark.parametrize("placement", [None, SLICE])
def test_it_takes_what_the_operator_writes(placement: Placement | None) -> None:
    options = fake_vllm.build_parser().parse_args(rendered(placement, "fake/simulated", "--fake-start-seconds=5"))
    assert (options.served_model_name, options.fake_start_seconds) == ("fake/simulated", 5)


def test_it_serves_under_no_name_of_a_real_model(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fake_vllm.main(rendered(SLICE, "Qwen/Qwen3-0.6B"))
    assert "only names that hold the word 'simulated'" in capsys.readouterr().err


def test_it_refuses_an_unknown_flag_as_vllm_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fake_vllm.main(rendered(SLICE, "fake/simulated", "--no-such-flag"))
    assert "--no-such-flag" in capsys.readouterr().err
