"""A class at one server: everyone trains at the same time, and moves sliders meanwhile.

    python -m tests.load [--students 40] [--browsers 2] [--epochs 3] [--settle 600]
                         [--cores 2] [--gigabytes 4]

The server may use two cores and 4 GB, which the operating system enforces. Each student opens the
Train page with 600 images, presses Train at a random moment of the first minute, looks as often as
a browser does, and moves a slider every ten seconds until the run has ended. Two of them use
Chromium, which needs the same cores as the server here; the others are sessions over the server's
own protocol. Printed are the seconds from pressing Train to the first epoch and to the end, how
well the page forecasts the end once all have pressed it, the seconds that the page takes to answer,
and the memory of the server, at the end also after `--settle` seconds in which nobody is there.
"""

import argparse
import os
import re
import resource
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from tests.benchmarks.app_runs import report
from tests.e2e.server import Server
from tests.load_browser import attend_in_chromium
from tests.load_student import EVERY, MINUTE, Student, settings, wait_for_turn
from tests.protocol import Visitor
from vitdemo.training.metrics import METRICS

ROUNDED = 10.0  # seconds below which a forecast in whole seconds says little


def attend(url: str, epochs: int, begun: float, number: int, student: Student) -> None:
    """Be a student without a browser, to the end of the run."""
    with Visitor(url, query=settings(epochs, number), timeout=600) as visitor:
        visitor.run()
        visitor.until(lambda: visitor.page.has("Run"))
        wait_for_turn(begun, number)
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
                look(visitor, student, seconds, epochs)
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


def look(visitor: Visitor, student: Student, seconds: float, epochs: int) -> None:
    """Note when the page first shows an epoch, and the end of the run with complete curves."""
    labels = {getattr(message, "label", "") for _, message in visitor.page.all()}
    has_ended = "Metrics after the last epoch" in visitor.page.texts("heading")
    if not student.first_epoch and ("View attention" in labels or has_ended):
        student.first_epoch = seconds
    if has_ended:
        student.end = seconds
        shown = "".join(message.json for _, message in visitor.page.all("bidi_component"))
        student.curves = shown.count(f"by epoch, after epoch {epochs}:")


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
    parser.add_argument("--browsers", type=int, default=2, help="students with a Chromium")
    parser.add_argument("--settle", type=int, default=0, help="seconds to wait at the end")
    parser.add_argument("--cores", type=int, default=2, help="of the server")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of the server's memory")
    options = parser.parse_args()
    os.environ["VITDEMO_TEACHER_SECRET"] = "of the load test"
    with tempfile.TemporaryDirectory() as home:
        server = Server(Path(home))
        with limits(options.cores, options.gigabytes):
            server.start()
        try:
            run_class(server, options)
        finally:
            server.kill()


@contextmanager
def limits(cores: int, gigabytes: float):
    """Let processes that are started meanwhile use no more cores and memory than these."""
    own_cores, (soft, hard) = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_DATA)
    os.sched_setaffinity(0, sorted(own_cores)[:cores])
    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        os.sched_setaffinity(0, own_cores)


def run_class(server: Server, options: argparse.Namespace) -> None:
    """Let the students attend at the same time, and print what they saw."""
    count, epochs = options.students, options.epochs
    with Visitor(server.url, timeout=120) as first:
        first.run()
        first.until(lambda: first.page.has("Run"))
    before = memory_of(server.process.pid)
    students, begun = [Student() for _ in range(count)], time.monotonic() + 15
    threads = [
        threading.Thread(
            target=attend_in_chromium if number < options.browsers else attend,
            args=(server.url, epochs, begun, number, student),
        )
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
    complete = sum(student.curves == len(METRICS) for student in ended)
    report("of them with complete curves", f"{complete}", f"{count}", complete == count)
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
    chromium, sessions = students[: options.browsers], students[options.browsers :]
    for name, some in (("a session", sessions), ("a page in Chromium", chromium)):
        if answers := [each for student in some for each in student.answers]:
            tell(f"answers of {name}", answers, 1.0)
    value = f"{before:.0f} MB before, at most {most:.0f} MB"
    report("memory of the server", value, "none", True)
    time.sleep(options.settle)
    growth = memory_of(server.process.pid) - before
    report(f"growth of it {options.settle} s later", f"{growth:.0f} MB", "100 MB", growth <= 100)


if __name__ == "__main__":
    main()
