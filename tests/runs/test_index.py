"""The index of runs: always what a fresh reading of all folders gives, whoever changed them."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from vitdemo.files import index_file, stamp
from vitdemo.model import VisionTransformer
from vitdemo.runs import changes, index, lock, run
from vitdemo.runs.about import About, write_about
from vitdemo.runs.delete import delete_run
from vitdemo.runs.index import EVERY_RUN, RunIndex, run_index
from vitdemo.runs.index_table import Wanted
from vitdemo.runs.run import epoch_record, list_runs, new_run, save_run
from vitdemo.runs.summary import summary_of
from vitdemo.training.loop import EpochEnd
from vitdemo.training.metrics import METRICS

RECORD = epoch_record(EpochEnd(1, dict.fromkeys(METRICS, 0.5), dict.fromkeys(METRICS, 0.25), 1, 9))


@pytest.fixture
def make(tiny, short):
    """Return a function that saves a run with one epoch, `seconds` after noon."""

    def saved(seconds, weights=False, **about):
        run_id = f"20260131-12{seconds // 60:02}{seconds % 60:02}-0a1b2c"
        made = replace(new_run(tiny, short), id=run_id, state="finished", history=(RECORD,))
        save_run(made, VisionTransformer(tiny, seed=0) if weights else None)
        if about:
            write_about(made.folder, About(**about))
        return made

    return saved


def fresh():
    """Return what all folders hold now."""
    run.read_cached.cache_clear()
    return [summary_of(each) for each in list_runs()]


def listed(index=None, wanted=EVERY_RUN):
    """Return all pages of the list."""
    index, runs, number, count = index or run_index(), [], 1, 1
    while len(runs) < count and number <= count + 1:
        page, count = index.page(wanted, number, rows=7)
        runs += page
        number += 1
    return runs


def ids(runs):
    return [each.id for each in runs]


def as_if_elsewhere():
    """Forget what this process has changed, as if another one had done it."""
    changes.take()


def test_summary_has_what_lists_show(make):
    made = make(1, weights=True, name="Wide", tags=("a", "b"), pinned=True)
    (found,) = run_index().offered()
    assert (found.id, found.model, found.training) == (made.id, made.model, made.training)
    assert (found.epochs, found.accuracy, found.has_weights) == (1, 0.25, True)
    assert found.about == About(name="Wide", tags=("a", "b"), pinned=True)
    assert found == fresh()[0]
    assert run_index().offered() == [found]  # now from its row


def change_at_random(rng, made, make):
    """Change the runs folder as people, other processes and accidents do."""
    folder = run.runs_folder()
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    chosen = rng.choice(folders) if folders else None
    name = rng.choice(run.FILES)
    match rng.randrange(12) if chosen else 0:
        case 0 | 1:
            make(next(made), weights=rng.random() < 0.3)
        case 2:
            write_about(chosen, About(name=f"Run {rng.random()}", pinned=rng.random() < 0.5))
        case 3:
            shutil.rmtree(chosen)
        case 4:
            delete_or_keep(chosen.name)
        case 5:
            copy = folder / f"20260131-13{next(made) % 60:02}00-{rng.randrange(16**6):06x}"
            shutil.copytree(chosen, copy)
        case 6:
            chosen.rename(folder / f"20260131-14{next(made) % 60:02}00-{rng.randrange(16**6):06x}")
        case 7:
            (chosen / name).write_text(rng.choice(["", "{", '{"owner": 5}']))
        case 8:
            (chosen / name).unlink(missing_ok=True)
        case 9:
            (folder / f"20260131-15{next(made) % 60:02}00-{rng.randrange(16**6):06x}").mkdir()
        case 10:
            (chosen / "about.json").write_text(json.dumps({"name": str(rng.randrange(10, 99))}))
        case 11:
            index_file().unlink(missing_ok=True)
    if rng.random() < 0.5:
        as_if_elsewhere()


def delete_or_keep(run_id):
    if run.saved_run(run_id):
        delete_run(run_id)


@pytest.mark.parametrize("seed", range(6))
def test_listing_equals_a_fresh_reading_after_any_changes(make, seed):
    rng, made = random.Random(seed), iter(range(10_000))
    make(next(made))
    for _ in range(40):
        for _ in range(rng.randrange(1, 4)):
            change_at_random(rng, made, make)
        if rng.random() < 0.8:
            assert listed() == fresh()
    assert listed() == listed(RunIndex()) == fresh()  # another process


def test_page_is_whole_if_the_background_reads_a_run_between_its_steps(make, monkeypatch):
    made = [make(second) for second in range(9)]
    assert len(listed()) == 9
    shutil.rmtree(made[6].folder)
    made[6].folder.mkdir()
    as_if_elsewhere()
    here, elsewhere = run_index(), RunIndex()
    select = here._ids

    def select_then_read(statement, values):
        found = select(statement, values)
        if statement == index.table.PAGE:
            elsewhere.everything()
        return found

    monkeypatch.setattr(here, "_ids", select_then_read)
    monkeypatch.setattr(here, "_catch_up", lambda: None)
    page, count = here.page(rows=7)
    assert (ids(page), count) == (ids(fresh())[:7], 8)


def test_change_within_one_tick_of_the_clock_is_seen(make, monkeypatch):
    """A folder, and a file of the same size, that change twice at the same time."""
    made = [make(second, name="aa") for second in range(3)]
    now, minute = time.time_ns(), 60 * 10**9

    def frozen(path):
        found = stamp(path)
        return found and (now, now, found[2] if os.path.isfile(path) else 0, 0)

    monkeypatch.setattr(index, "stamp", frozen)
    monkeypatch.setattr(run, "stamp", frozen)
    monkeypatch.setattr(index, "UNSURE", minute)
    monkeypatch.setattr(index, "UNSURE_FILE", minute)
    assert len(listed()) == 3
    shutil.rmtree(made[0].folder)
    write_about(made[1].folder, About(name="bb"))
    make(3, name="cc")
    as_if_elsewhere()
    assert listed() == fresh()
    assert [each.about.name for each in listed()] == ["cc", "aa", "bb"]


def test_only_changed_runs_are_read(make, monkeypatch):
    for second in range(10):
        made = make(second)
    listed()
    end = time.time() + index.UNSURE_FILE / 1e9 + 0.1
    while time.time() < end:  # files that were changed just now are read again
        time.sleep(0.01)
    listed()
    read = []
    monkeypatch.setattr(
        index, "read_files", lambda folder: read.append(folder.name) or run.read_files(folder)
    )
    monkeypatch.setattr(index, "read_cached", lambda folder, stamps: index.read_files(folder))
    assert len(listed()) == 10
    assert read == []
    save_run(replace(made, state="stopped"))
    assert listed()[0].state == "stopped"
    assert set(read) == {made.id}
    read.clear()
    assert len(listed(RunIndex())) == 10  # another process reads what the first has stored
    assert set(read) <= {made.id}


def test_picker_offers_newest_and_pinned_runs(make):
    made = [make(second, pinned=second == 0) for second in range(index.OFFERED + 5)]
    offered = run_index().offered()
    assert ids(offered) == ids([*reversed(made[5:]), made[0]])


def test_old_run_that_is_pinned_here_is_offered_at_once(make):
    made = [make(second) for second in range(index.OFFERED + 5)]
    assert len(run_index().offered()) == index.OFFERED
    write_about(made[0].folder, About(pinned=True))
    assert ids(run_index().offered())[-1] == made[0].id
    save_run(replace(made[1], state="failed"), VisionTransformer(made[1].model, seed=0))
    assert ids(run_index().offered(Wanted(models=True))) == [made[1].id]


def test_models_are_runs_with_weights(make):
    first, second = make(1, weights=True), make(2)
    assert ids(run_index().offered(Wanted(models=True))) == [first.id]
    save_run(second, VisionTransformer(second.model, seed=0))
    as_if_elsewhere()
    assert ids(run_index().offered(Wanted(models=True))) == [second.id, first.id]


def test_owner_sees_own_published_and_opened_runs(make):
    make(1, owner="b")
    own, published = make(2, owner="a"), make(3, owner="b", published=True)
    opened, by_nobody = make(4, owner="b", shared=True), make(5)
    wanted = Wanted(owner="a", also=(opened.id,))
    expected = [opened.id, published.id, own.id]
    assert ids(run_index().offered(wanted)) == ids(listed(wanted=wanted)) == expected
    assert by_nobody.id not in expected
    write_about(own.folder, About(owner="b"))
    as_if_elsewhere()
    assert ids(run_index().offered(wanted)) == ids(listed(wanted=wanted)) == expected[:2]
    assert len(listed()) == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "0123"),
        ("wide", "1"),
        ("WIDE strasse", "1"),
        ("STRASSE", "1"),
        ("straße 7b", "1"),
        ("wide deep", ""),
        ("12000", "0123"),
        ("120002", "2"),
        ("class", "12"),
        ("%", "2"),
        ("_", ""),
        ("' OR 1=1 --", ""),
        ("\ud800", ""),
        ("ada", "3"),
    ],
)
def test_search_finds_words_in_id_name_and_tags(make, text, found):
    make(0)
    make(1, name="Wide Straße", tags=("class 7b",))
    make(2, name="100%", tags=("class 7a", "x"))
    make(3, nickname="Ada")
    expected = [f"20260131-12000{number}-0a1b2c" for number in reversed(found)]
    assert ids(listed(wanted=Wanted(text=text))) == expected


def test_run_in_training_is_running_and_one_without_trainer_is_stopped(make):
    save_run(made := replace(make(1), state="running"))
    assert listed()[0].state == "stopped"
    with lock.hold(made.folder):
        assert listed()[0].state == "running"
    assert listed()[0].state == "stopped"


def test_background_reads_all_runs(make, monkeypatch):
    monkeypatch.setattr(index, "PATIENCE", 0.0)
    for second in range(40):
        make(second)
    as_if_elsewhere()
    assert len(run_index().offered()) >= 1  # it does not wait for the rest
    end = time.monotonic() + 60
    while run_index().not_read() and time.monotonic() < end:
        run_index().offered()
        time.sleep(0.01)
    assert run_index().not_read() == 0
    assert len(run_index().offered()) == index.OFFERED


# The file of the index


DAMAGE = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "text": lambda content: b"not a database" * 1000,
    "zeros": lambda content: content[:100] + bytes(len(content) - 100),
    "another": lambda content: content.replace(b"stamps", b"stumps"),
}


def damage_index(how):
    with sqlite3.connect(index_file()) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    index_file().write_bytes(DAMAGE[how](index_file().read_bytes()))


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_file_is_replaced(make, how):
    for second in range(30):
        make(second)
    RunIndex().page()
    damage_index(how)
    again = RunIndex()
    assert listed(again) == fresh()
    assert len(again.offered()) == 30
    if how != "empty":  # to the other connection, an empty file is a locked one
        assert not again.database.in_memory


@pytest.mark.parametrize("how", sorted(DAMAGE.keys() - {"empty"}))
def test_several_connections_replace_a_damaged_file(make, how):
    for second in range(5):
        make(second)
    for _ in range(10):
        indexes = [RunIndex() for _ in range(4)]
        indexes[0].everything()
        damage_index(how)
        with ThreadPoolExecutor(len(indexes)) as threads:
            assert all(len(runs) == 5 for runs in threads.map(listed, indexes))
        assert not any(each.database.in_memory for each in indexes)


def test_file_damaged_while_it_is_open(make):
    for second in range(30):
        make(second)
    opened = RunIndex()
    assert len(listed(opened)) == 30
    for end in ("", "-wal"):
        path = index_file().with_name(index_file().name + end)
        path.write_bytes(bytes(path.stat().st_size))
    make(31)
    assert listed(opened) == fresh()


def test_deleted_file_is_made_again(make):
    make(1)
    assert len(listed()) == 1
    for path in index_file().parent.iterdir():
        path.unlink()
    assert listed() == fresh()
    assert index_file().is_file()


def test_table_of_another_version_is_made_again(make, monkeypatch):
    make(1)
    RunIndex().page()
    with sqlite3.connect(index_file()) as connection:
        connection.execute("DROP TABLE runs")
        connection.execute("CREATE TABLE runs (id TEXT)")
        connection.execute("UPDATE facts SET value = 'older' WHERE name = 'version'")
    connection.close()
    again = RunIndex()
    assert listed(again) == fresh()
    assert not again.database.in_memory


def refused(monkeypatch, kind):
    """Let the disk refuse the file of the index."""
    path = index_file()
    if kind == "a file in place of the folder":
        path.parent.write_text("x")
    elif kind == "a folder in place of the file":
        path.mkdir(parents=True)
    elif kind == "locked":
        path.parent.mkdir()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("CREATE TABLE other (id)")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("vitdemo.runs.database.PATIENCE", 0.05)
        return other
    elif kind == "read-only":
        monkeypatch.setattr(sqlite3, "connect", read_only(sqlite3.connect))
    elif kind == "full":
        monkeypatch.setattr(sqlite3, "connect", full(sqlite3.connect))
    return None


def read_only(connect):
    def connected(path, **options):
        connection = connect(path, **options)
        if path != ":memory:":
            connection.execute("PRAGMA query_only = 1")
        return connection

    return connected


def full(connect):
    def connected(path, **options):
        connection = connect(path, **options)
        if path != ":memory:":
            connection.execute("PRAGMA max_page_count = 12")
        return connection

    return connected


@pytest.mark.parametrize(
    "kind",
    [
        "a file in place of the folder",
        "a folder in place of the file",
        "locked",
        "read-only",
        "full",
    ],
)
def test_without_a_file_the_index_is_in_memory(make, monkeypatch, kind):
    for second in range(30):
        make(second, name="a" * 60)
    holder = refused(monkeypatch, kind)
    here = RunIndex()
    assert listed(here) == fresh()
    assert here.database.in_memory
    make(31)
    assert listed(here) == fresh()
    if holder:
        holder.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written(make, home):
    make(1)
    home.chmod(0o500)
    try:
        assert listed() == fresh()
    finally:
        home.chmod(0o700)


# Several at once


def test_threads_share_an_index(make):
    for second in range(20):
        make(second)
    failures = []

    def look():
        try:
            for _ in range(10):
                assert len(run_index().offered()) == 20
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not run_index().database.in_memory


PROCESS = """
import random, shutil, sys
from vitdemo.runs.about import About, write_about
from vitdemo.runs.index import run_index
from vitdemo.runs.run import runs_folder

rng, first = random.Random(int(sys.argv[1])), sorted(runs_folder().iterdir())[0]
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    copy = runs_folder() / f"20260201-{number:06}-{int(sys.argv[1]):06x}"
    shutil.copytree(first, copy)
    write_about(copy, About(name=str(number)))
    run_index().page(rows=5)
    if rng.random() < 0.4:
        shutil.rmtree(copy)
print(run_index().database.in_memory)
"""


def process(seed, number):
    command = [sys.executable, "-c", PROCESS, str(seed), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_share_an_index(make):
    make(1)
    processes = [process(seed, 30) for seed in range(3)]
    while any(each.poll() is None for each in processes):
        listed()
    assert [each.communicate()[0].split() for each in processes] == [["ready", "False"]] * 3
    assert len(listed()) > 30
    assert listed() == listed(RunIndex()) == fresh()
    assert not run_index().database.in_memory


@pytest.mark.slow
def test_kill_at_any_moment_leaves_an_index_that_is_right(make):
    make(1)
    rng = random.Random(0)
    for kill in range(5):
        killed = process(kill + 10, 10_000)
        assert killed.stdout.readline() == "ready\n"
        time.sleep(rng.random())
        killed.kill()
        killed.wait()
        assert listed(RunIndex()) == fresh()
    assert not RunIndex().database.in_memory
