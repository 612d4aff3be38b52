"""How soon a sleeper hears of an event: `python benchmarks/bench_wake.py [postgresql://…]`.

A thread waits as a worker and a notebook do; the time is from before the transaction that writes the event
until the waiter has come back and read it.
"""

import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.data.catalog.event_types import ScanHit

EVENTS = 100


def main() -> None:
    """Print median, 95 % and the longest, in milliseconds."""
    with tempfile.TemporaryDirectory() as home:
        config = Config.load(Path(home))
        if len(sys.argv) > 1:
            config = replace(config, database=sys.argv[1])
        took = measured(config)
    took.sort()
    kind = "PostgreSQL, LISTEN/NOTIFY" if len(sys.argv) > 1 else "embedded, polled"
    shown = [f"{1000 * value:.1f}" for value in (statistics.median(took), took[int(0.95 * EVENTS)], took[-1])]
    print(f"{kind}: median {shown[0]} ms, 95 % {shown[1]} ms, longest {shown[2]} ms of {EVENTS} events")


def measured(config: Config) -> list[float]:
    """Seconds of each event."""
    took: list[float] = []
    with closing(Catalog.open(config)) as writer, closing(Catalog.open(config)) as reader:
        writer.events.newest()
        began: dict[int, float] = {}
        heard, asleep = threading.Event(), threading.Event()

        def listen() -> None:
            last = writer.events.newest()
            with closing(reader.events.waiter()) as waiter:
                while len(took) < EVENTS:
                    asleep.set()
                    waiter.wait(1.0)
                    for event in reader.events.after(last):
                        took.append(time.monotonic() - began[len(took)])
                        last = event.seq
                        heard.set()

        thread = threading.Thread(target=listen)
        thread.start()
        for number in range(EVENTS):
            asleep.wait()
            time.sleep(0.02 + number % 7 / 100)
            asleep.clear()
            heard.clear()
            began[number] = time.monotonic()
            writer.events.add(ScanHit(scan="s", symbol=str(number), change="entered", bar="2026"))
            heard.wait(10)
        thread.join()
    return took


if __name__ == "__main__":
    main()
