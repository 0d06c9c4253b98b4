import os

from hypothesis import settings

# Many small examples in every run would cost a minute; `HYPOTHESIS_PROFILE=thorough hack/test unit` takes its time.
# No deadline: the machine may be busy. Under CI the examples are the same each time, so that a failure can be repeated.
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=bool(os.environ.get("CI")))
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
