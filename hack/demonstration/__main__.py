"""`hack/demo`: from nothing to the answer of a Council."""

import argparse
import sys
import time

from demonstration.kubectl import Kubectl, KubectlError
from demonstration.steps import DemoError, Tour, ask, convene, install, prepare
from demonstration.story import tell

NEXT = """\
To look further (export KUBECONFIG={kubeconfig})
  kubectl get councils,deliberations                 the columns
  kubectl get deliberation slow-shop -o yaml         the whole status
  kubectl get pods,rayjobs,rayclusters               what carries it
  kubectl apply -f docs/samples/deliberation-vote.yaml    another question, a closed one
  hack/demo{option}                                  the same again: all that is there is used again
To take it down
  hack/cluster down --name {cluster}"""


def main() -> int:
    """Run the tour; return the exit status."""
    tour = _read_arguments()
    begin = time.monotonic()
    model = "a simulated model" if tour.simulated else "a small real model on the CPU"
    print(f"A question to a Council of three agents on {model}, on a cluster of this machine's own.")
    try:
        kubectl, image_digest = prepare(tour)
        install(kubectl, image_digest)
        convene(tour, kubectl)
        deliberation = ask(kubectl)
    except (DemoError, KubectlError) as error:
        print(f"\nhack/demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped. What is there stays; hack/cluster down --name {tour.cluster} removes it.", file=sys.stderr)
        return 130
    print(f"\n{tell(deliberation)}\n\n{_what_next(tour, kubectl)}")
    print(f"\nAll of it took {time.monotonic() - begin:.0f} s.")
    return 0 if deliberation["status"]["phase"] == "Succeeded" else 1


def _read_arguments() -> Tour:
    parser = argparse.ArgumentParser(prog="hack/demo", description="A real question to a real Council, from nothing.")
    parser.add_argument(
        "--simulated", action="store_true", help="use a model that only pretends: no model server to build or start"
    )
    parser.add_argument("--name", default="demo", help="name of the cluster (default: demo)")
    arguments = parser.parse_args()
    return Tour(cluster=arguments.name, simulated=arguments.simulated)


def _what_next(tour: Tour, kubectl: Kubectl) -> str:
    option = " --simulated" if tour.simulated else "            "
    return NEXT.format(kubeconfig=kubectl.kubeconfig, option=option, cluster=tour.cluster)


if __name__ == "__main__":
    sys.exit(main())
