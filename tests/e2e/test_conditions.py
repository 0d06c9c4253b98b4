"""What is missing is said by a condition with a typed reason, and heals when it comes."""

from demonstration.kubectl import Body, Kubectl
from e2e.scene import (
    await_answer,
    await_condition,
    await_ready,
    council,
    deliberation,
    server_of,
)

MODEL_PORT = 8000


def endpoint(url: str, *, key_in: str) -> Body:
    """Return a model that somebody else serves."""
    key = {"name": key_in, "key": "api-key"}
    return {"name": "theirs", "endpoint": {"url": url, "modelName": "simulated", "apiKeySecretRef": key}}


def test_a_missing_secret_is_named_and_heals(namespace: Kubectl) -> None:
    namespace.apply(council("hosts"))
    await_ready(namespace, "hosts")
    url = f"http://{server_of(namespace, 'hosts')}.{namespace.namespace}.svc:{MODEL_PORT}/v1"

    namespace.apply(council("guests", model=endpoint(url, key_in="their-key")))
    fault = await_condition(namespace, "councils", "guests", "ModelsAvailable", "False", reason="SecretMissing")
    assert "their-key" in fault["message"]

    namespace.apply(copy_of_key(namespace, "their-key"))
    await_ready(namespace, "guests")
    namespace.apply(deliberation("asked", "guests"))
    await_answer(namespace, "asked")


def test_an_unreachable_endpoint_is_named_and_heals(namespace: Kubectl) -> None:
    namespace.apply(council("hosts"))
    await_ready(namespace, "hosts")
    server = server_of(namespace, "hosts")
    url = f"http://later.{namespace.namespace}.svc:{MODEL_PORT}/v1"

    namespace.apply(copy_of_key(namespace, "their-key"))
    namespace.apply(council("guests", model=endpoint(url, key_in="their-key")))
    fault = await_condition(namespace, "councils", "guests", "ModelsAvailable", "False", reason="EndpointUnreachable")
    assert "theirs" in fault["message"]

    service = namespace.find("services", server)
    assert service
    spec = {"selector": service["spec"]["selector"], "ports": [{"port": MODEL_PORT}]}
    namespace.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "later"}, "spec": spec})
    await_ready(namespace, "guests")


def copy_of_key(namespace: Kubectl, name: str) -> Body:
    """Return a Secret of a user that holds the key of the namespace's model servers."""
    secret = namespace.find("secrets", "council-models")
    assert secret
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": secret["data"]}
