from deliberation.api.v1alpha1.deliberation_result import RankedProposal, Result
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus, Phase


def test_a_deliberation_that_nobody_has_seen_says_so() -> None:
    assert DeliberationStatus().observed_generation == -1
    assert DeliberationStatus().phase == Phase.PENDING


def test_a_status_survives_the_api_server() -> None:
    result = Result(answer="Postgres", type="Text", proposal_id="dev-0")
    proposal = RankedProposal(
        id="dev-0", rank=1, member="dev", seat="dev-0", model="small", answer="Postgres", sha256="0" * 64
    )
    status = DeliberationStatus(observed_generation=1, phase=Phase.SUCCEEDED, result=result, proposals=(proposal,))
    assert DeliberationStatus.model_validate(status.to_json()) == status


def test_a_status_before_its_result_claims_none() -> None:
    absent = {"result", "answer", "votes", "agreement", "usage", "startTime", "completionTime"}
    assert not absent & set(DeliberationStatus().to_json())
