"""A class at one server: everyone trains at the same time, and moves sliders meanwhile.

    python -m tests.load [--students 40] [--epochs 3] [--settle 600]

Each student is a session over the server's own protocol, without a browser: it opens the Train page
with 600 images, presses Train at a random moment of the first minute, polls as a browser does, and
moves a slider every ten seconds until its run has ended. Printed are the seconds from pressing
Train to the first epoch and to the end, how well the page forecasts the end once all have pressed
it, the seconds that the page takes to answer, and the memory of the server, at the end also after
`--settle` seconds in which nobody is there.
"""

import argparse
import os
import random
import re
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from tests.benchmarks.app_runs import report
from tests.e2e.server import Server
from tests.protocol import Visitor

MINUTE = 60.0  # within which all press Train
EVERY = 10.0  # seconds between two moves of a slider
ROUNDED = 10.0  # seconds below which a forecast in whole seconds says little
SETTINGS = "train_images=600&validation_images=200"


@dataclass
class Student:
    """What one student has seen, in seconds."""

    first_epoch: float = 0.0
    end: float = 0.0
    forecasts: list[tuple[float, float]] = field(default_factory=list)  # when, and of what is left
    answers: list[float] = field(default_factory=list)


def attend(url: str, epochs: int, begun: float, number: int, student: Student) -> None:
    """Be a student, to the end of the run."""
    with Visitor(url, query=f"{SETTINGS}&epochs={epochs}&seed={number}", timeout=600) as visitor:
        visitor.run()
        visitor.until(lambda: visitor.page.has("Run"))
        time.sleep(max(0.0, begun + random.Random(number).random() * MINUTE - time.monotonic()))
        pressed = time.monotonic()
        student.answers.append(visitor.click("Train"))
        depth, due = 6, {}
        while not student.end:
            moved = time.monotonic()
            depth = 13 - depth  # 6 and 7
            student.answers.append(visitor.set("Depth", [float(depth)]))
            while time.monotonic() < moved + EVERY and not student.end:
                poll(visitor, due)
                seconds = time.monotonic() - pressed
                look(visitor, student, seconds)
                left = expected_end(visitor)
                if left and time.monotonic() > begun + MINUTE:
                    student.forecasts.append((seconds, left))


def poll(visitor: Visitor, due: dict[str, float]) -> None:
    """Rerun the part of the page whose time has come, or wait for it, at most a second.

    Args:
        visitor: the student's session.
        due: when each part that reruns by itself is due; kept from call to call.
    """
    now, polls = time.monotonic(), visitor.page.polls
    for fragment in set(due) - set(polls):
        del due[fragment]
    for fragment, seconds in polls.items():
        due.setdefault(fragment, now + seconds)
    if not due:
        time.sleep(0.2)
        return
    fragment = min(due, key=due.get)
    time.sleep(min(1.0, max(0.0, due[fragment] - now)))
    if time.monotonic() >= due[fragment]:
        visitor.run(fragment=fragment, auto=True)
        due.pop(fragment)


def look(visitor: Visitor, student: Student, seconds: float) -> None:
    """Note when the page first shows an epoch, and the end of the run."""
    labels = {getattr(message, "label", "") for _, message in visitor.page.all()}
    has_ended = "Metrics after the last epoch" in visitor.page.texts("heading")
    if not student.first_epoch and ("View attention" in labels or has_ended):
        student.first_epoch = seconds
    if has_ended:
        student.end = seconds


def expected_end(visitor: Visitor) -> float:
    """Return the seconds to the end of the run that the page says; 0 if it says nothing."""
    words = visitor.page.texts("alert")
    words += [message.json for _, message in visitor.page.all("bidi_component")]
    for text in words:
        time_left = r"(?:(\d+) min )?(\d+) s"
        found = re.search(rf"ends in about {time_left}|{time_left} left", text)
        if found:
            minutes, seconds = found.groups()[:2] if found[2] else found.groups()[2:]
            return 60 * int(minutes or 0) + int(seconds)
    return 0.0


def memory_of(process: int) -> float:
    """Return the resident memory of a process in megabytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def tell(name: str, seconds: list[float], target: float | None = None) -> None:
    """Report the median, the 95th percentile and the largest of some seconds."""
    late = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    value = f"median {median(seconds):.1f} s, 95% {late:.1f} s, at most {max(seconds):.1f} s"
    wanted = f"{target:g} s" if target else "none"
    report(name, value, wanted, target is None or late <= target)


def main() -> None:
    """Run the class and print what it saw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--settle", type=int, default=0)
    options = parser.parse_args()
    os.environ["VITDEMO_TEACHER_SECRET"] = "of the load test"
    with tempfile.TemporaryDirectory() as home:
        server = Server(Path(home))
        server.start()
        try:
            run_class(server, options.students, options.epochs, options.settle)
        finally:
            server.kill()


def run_class(server: Server, count: int, epochs: int, settle: int) -> None:
    """Let the students attend at the same time, and print what they saw."""
    with Visitor(server.url, timeout=120) as first:
        first.run()
        first.until(lambda: first.page.has("Run"))
    before = memory_of(server.process.pid)
    students, begun = [Student() for _ in range(count)], time.monotonic() + 10
    threads = [
        threading.Thread(target=attend, args=(server.url, epochs, begun, number, student))
        for number, student in enumerate(students)
    ]
    for thread in threads:
        thread.start()
    most = before
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        most = max(most, memory_of(server.process.pid))
    ended = [student for student in students if student.end]
    report("runs that ended", f"{len(ended)} of {count}", f"{count}", len(ended) == count)
    tell("first epoch shown after", [student.first_epoch for student in ended], 30.0)
    tell("end shown after", [student.end for student in ended])
    ratios = [
        left / (student.end - when)
        for student in ended
        for when, left in student.forecasts
        if student.end - when > ROUNDED
    ]
    if ratios:
        within = sum(0.7 <= ratio <= 1.3 for ratio in ratios) / len(ratios)
        value = f"median {median(ratios):.2f}, {within:.0%} within 30%"
        report("forecast / time to the end, all submitted", value, "90%", within >= 0.9)
    tell("answers of the page", [each for student in ended for each in student.answers], 1.0)
    value = f"{before:.0f} MB before, at most {most:.0f} MB"
    report("memory of the server", value, "none", True)
    time.sleep(settle)
    growth = memory_of(server.process.pid) - before
    report(f"growth of it {settle} s later", f"{growth:.0f} MB", "100 MB", growth <= 100)


if __name__ == "__main__":
    main()
