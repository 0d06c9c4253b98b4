"""Entry of the RayJob: `python -m deliberation.runner`. Runs until SIGTERM, or until its only task is seen off."""

import signal
import sys

from deliberation.runner.logs import set_up_logs
from deliberation.runner.supervisor import Supervisor

DRIVER = "deliberation.runner.serving"


def main() -> int:
    """Run drivers one after the other, and return the exit status of the job."""
    set_up_logs()
    supervisor = Supervisor((sys.executable, "-m", DRIVER))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.end)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
