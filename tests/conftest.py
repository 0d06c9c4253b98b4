import os

from hypothesis import HealthCheck, Phase, settings

# Many small examples in every run would cost a minute; `HYPOTHESIS_PROFILE=thorough hack/test unit` takes its time.
# No deadline: the machine may be busy. Under CI the examples are the same each time, so that a failure can be repeated.
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("thorough", max_examples=2000, deadline=None)
# Mutation testing runs the same tests again and again in one process, which hypothesis takes for a mistake. It wants to
# know that a test fails, not the simplest reason why, and has no time for many examples.
settings.register_profile(
    "mutation",
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.differing_executors],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
