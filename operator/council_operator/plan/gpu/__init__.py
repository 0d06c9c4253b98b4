"""Which GPUs each model server gets: what the Councils ask for, what the nodes offer, and one plan for all of them."""

from council_operator.plan.gpu.demands import asks_for_gpu, plan_observed
from council_operator.plan.gpu.division import DivisionPlan, NodeChange, explain_division, plan_division
from council_operator.plan.gpu.holdings import read_holding, write_holding
from council_operator.plan.gpu.memory import Need, Share, find_need
from council_operator.plan.gpu.nodes import GPU, Offer, Pool, read_offers
from council_operator.plan.gpu.placing import GpuPlan, Holding, Placement, Refusal, ServerId

__all__ = [
    "GPU",
    "DivisionPlan",
    "GpuPlan",
    "Holding",
    "Need",
    "NodeChange",
    "Offer",
    "Placement",
    "Pool",
    "Refusal",
    "ServerId",
    "Share",
    "asks_for_gpu",
    "explain_division",
    "find_need",
    "plan_division",
    "plan_observed",
    "read_holding",
    "read_offers",
    "write_holding",
]
