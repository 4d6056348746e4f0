"""The generator's command line: one order as JSON in, one line of JSON out.

`python -m bench.load '{"item": …}'` performs a work item; `python -m bench.load relay PORT` and `… sink PORT` are the
stand-ins of `relay.py`. The bench starts it from the folder of the compiled copy where there is one.
"""

import gc
import json
import resource
import sys
from typing import Any

from bench.load import work
from bench.load.link import WorkError
from bench.load.order import Order
from bench.load.relay import serve


def main() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1] in ("relay", "sink"):
        serve(int(sys.argv[2]), sys.argv[1] == "sink")
        return 0
    wanted: dict[str, Any] = json.loads(sys.argv[1])
    order = Order(wanted["ports"], wanted["run"], wanted["broker_pid"], wanted["seconds"], wanted["warmup_s"])
    gc.disable()  # what the loop allocates has no cycles
    try:
        for name, value in wanted.get("numbers", {}).items():
            order.change(name, value)
        figures = work.perform(wanted["item"], order)
    except (WorkError, OSError) as error:
        print(json.dumps({"error": str(error) or type(error).__name__}))
        return 1
    figures["compiled"] = float(not work.__file__.endswith(".py"))
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
