#!/usr/bin/env python3
"""Groups with real clients: members share, leave, die, come back; the broker dies and comes back.

    groups.py BOOTSTRAP --work DIR [--clients a,b] [--only scenario,…] [--restart COMMAND]

Members are programs (group_member.py, java/GroupMember.java) that say what happens to them. The clients go through one
scenario side by side, each with a group and a topic of its own. `--restart` is a command that kills the broker and
starts it again on the same data, once for all of them; without it the scenarios that need it are skipped.
Exit status 0 when every scenario passes. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matrix

HERE = Path(__file__).resolve().parent
PARTITIONS = 4
SESSION_MS = 10_000
ALL = set(range(PARTITIONS))


class Failed(Exception):
    """What was to happen did not."""


class Member:
    """One running member, and all that it has said."""

    def __init__(self, bench, client, group, topic, instance=None, strategy="range"):
        self.name = f"{client}{'/' + instance if instance else ''}"
        self.owned, self.records, self.committed, self.events = set(), [], {}, []
        self.changed = threading.Condition()
        command = bench.member_command(client, group, topic, instance, strategy)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=HERE)
        threading.Thread(target=self.listen, daemon=True).start()
        bench.members.append(self)

    def listen(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.changed:
                self.events.append(event)
                self.owned |= set(event.get("assigned", []))
                self.owned -= set(event.get("revoked", []))
                if "record" in event:
                    self.records.append(tuple(event["record"]))
                for partition, offset in event.get("committed", {}).items():
                    self.committed[int(partition)] = offset
                self.changed.notify_all()

    def rebalances(self):
        return sum(1 for event in self.events if event.get("revoked") or event.get("assigned"))

    def leave(self):
        self.process.terminate()
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait(10)


class Bench:
    """The broker under test and the members that run against it in one scenario of one client."""

    def __init__(self, bootstrap, java, restart):
        self.bootstrap, self.java, self.restart, self.members = bootstrap, java, restart, []
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient

        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        # Its words about a broker that is down would hide what went wrong.
        self.producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def member_command(self, client, group, topic, instance, strategy):
        if client == "java":
            return [*self.java, str(HERE / "java" / "GroupMember.java"), self.bootstrap, group, topic, instance or "-",
                    strategy, str(SESSION_MS)]
        command = [sys.executable, str(HERE / "group_member.py"), client, self.bootstrap, group, topic, "--strategy",
                   strategy, "--session", str(SESSION_MS)]
        return command + (["--instance", instance] if instance else [])

    def topic(self, name):
        from confluent_kafka.admin import NewTopic

        self.admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
        return name

    def produce(self, topic, count):
        """So many records into each partition."""
        for number in range(count):
            for partition in range(PARTITIONS):
                self.producer.produce(topic, f"{number}".encode(), partition=partition)
        if self.producer.flush(30):
            raise Failed("records were not acknowledged")

    def member(self, *arguments, **named):
        return Member(self, *arguments, **named)

    def clear(self):
        for member in self.members:
            if member.process.poll() is None:
                member.kill()
        self.members = []


def until(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise Failed(f"after {seconds} s: {what}")


def shared(members):
    """Everything is somebody's, nothing is two members', and everybody has something."""
    owned = [member.owned for member in members]
    return set().union(*owned) == ALL and sum(map(len, owned)) == PARTITIONS and all(owned)


def told(members):
    return {member.name: sorted(member.owned) for member in members}


def two(bench, client, name, **named):
    topic = bench.topic(name)
    bench.produce(topic, 5)
    first = bench.member(client, name, topic, **{key: value[0] for key, value in named.items()})
    until("one member has everything", lambda: first.owned == ALL, 40)
    until("and reads all of it", lambda: len(set(first.records)) == 5 * PARTITIONS, 30)
    second = bench.member(client, name, topic, **{key: value[1] for key, value in named.items()})
    until(f"two members share: {told([first, second])}", lambda: shared([first, second]), 40)
    return topic, first, second


def share_and_leave(bench, client, name):
    """A second member takes its part and gives it back at once when it leaves."""
    topic, first, second = two(bench, client, name)
    bench.produce(topic, 5)
    until("both read", lambda: len(set(first.records + second.records)) == 10 * PARTITIONS, 30)
    if not second.records:
        raise Failed("the second member read nothing")
    second.leave()
    until("the first one has everything again", lambda: first.owned == ALL, SESSION_MS / 1000 - 2)


def killed(bench, client, name):
    """A member that dies is given up when its session ends, and not before."""
    topic, first, second = two(bench, client, name)
    second.kill()
    died = time.monotonic()
    bench.produce(topic, 3)
    until("the first one has everything", lambda: first.owned == ALL, SESSION_MS / 1000 + 15)
    if time.monotonic() - died < SESSION_MS / 1000 - 3:
        raise Failed(f"given up after {time.monotonic() - died:.1f} s")
    until("and reads it", lambda: len(set(first.records + second.records)) == 8 * PARTITIONS, 30)


def static(bench, client, name):
    """A static member is killed and comes back within its session: nobody else notices."""
    topic, first, second = two(bench, client, name, instance=("one", "two"))
    had, before = set(second.owned), first.rebalances()
    second.kill()
    again = bench.member(client, name, topic, instance="two")
    until("it has its part again", lambda: again.owned == had, SESSION_MS / 1000 + 20)
    bench.produce(topic, 3)
    until("and reads it", lambda: {partition for partition, _ in again.records} == had, 30)
    time.sleep(SESSION_MS / 1000)
    if first.rebalances() != before:
        raise Failed(f"the other member was bothered: {first.events[-3:]}")


def cooperative(bench, client, name):
    """With cooperative-sticky a member keeps what it does not have to give away."""
    topic, first, second = two(bench, client, name, strategy=("cooperative", "cooperative"))
    gone = [event["revoked"] for event in first.events if event.get("revoked")]
    if sum(map(len, gone)) != PARTITIONS // 2:
        raise Failed(f"gave up {gone} to share {PARTITIONS} with one more")
    second.leave()
    until("the first one has everything again", lambda: first.owned == ALL, 20)
    if sum(map(len, gone)) != PARTITIONS // 2:
        raise Failed("gave something up while it got the rest")


def goes_on(bench, client, name):
    """What was committed is not read again by the next member, and nothing is left out."""
    topic = bench.topic(name)
    read = []
    for turn in range(3):
        bench.produce(topic, 4)
        member = bench.member(client, name, topic)
        until("it reads what is new", lambda: len(set(member.records)) >= 4 * PARTITIONS, 60)
        member.leave()
        read += member.records
    if sorted(read) != [(partition, offset) for partition in range(PARTITIONS) for offset in range(12)]:
        raise Failed(f"{len(read)} records read, {len(set(read))} of them different, 48 written")


def broker_dies(bench, client, name):
    """The broker is killed: its members go on in the same generation, from where they had committed."""
    topic, first, second = two(bench, client, name)
    before = [member.rebalances() for member in (first, second)]
    bench.restart.wait(180)
    bench.produce(topic, 5)
    total = lambda: first.records + second.records
    until("both read on", lambda: len(set(total())) == 10 * PARTITIONS, 60)
    until("and commit", lambda: {**first.committed, **second.committed} == dict.fromkeys(ALL, 10), 30)
    if [member.rebalances() for member in (first, second)] != before:
        raise Failed(f"members were rebalanced: {[member.events[-12:] for member in (first, second)]}")
    if len(total()) != len(set(total())):
        raise Failed("records were read twice")


def mixed(bench, clients, name):
    """Members of different clients share one group."""
    topic = bench.topic(name)
    bench.produce(topic, 5)
    members = []
    for client in clients[:PARTITIONS]:
        members.append(bench.member(client, name, topic))
        until(f"{len(members)} members share: {told(members)}", lambda: shared(members), 60)
    while len(members) > 1:
        members.pop(0).leave()
        until(f"{len(members)} members share: {told(members)}", lambda: shared(members), 40)


def simple(bench, name):
    """kcat commits and goes on without a membership."""
    topic = bench.topic(name)

    def read():
        done = subprocess.run(["kcat", "-C", "-b", bench.bootstrap, "-t", topic, "-p", "0", "-o", "stored", "-e", "-q",
                               "-X", f"group.id={name}", "-X", "auto.offset.reset=earliest", "-f", "%o\\n"],
                              capture_output=True, text=True, timeout=60)
        return [int(line) for line in done.stdout.split()]

    for turn in range(3):
        bench.produce(topic, 3)
        seen = read()
        if seen != [3 * turn, 3 * turn + 1, 3 * turn + 2]:
            raise Failed(f"turn {turn} read {seen}")


SCENARIOS = [share_and_leave, killed, static, cooperative, goes_on, broker_dies]
MEMBERS = {"aiokafka", "confluent-kafka", "java", "kafka-python"}
COOPERATIVE = {"confluent-kafka", "java"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstrap")
    parser.add_argument("--work", type=Path, required=True, help="folder for jars, kept between runs")
    parser.add_argument("--clients", default="", help="only these, by name, with commas")
    parser.add_argument("--only", default="", help="only these scenarios, by name, with commas")
    parser.add_argument("--restart", default="", help="kills the broker and starts it again")
    options = parser.parse_args()
    wanted = [name for name in options.clients.split(",") if name]
    only = [name for name in options.only.split(",") if name]
    report = matrix.Report()
    found, skipped = matrix.clients(options.work.resolve(), wanted or sorted(MEMBERS))
    for reason in skipped:
        report.skip(reason)
    clients = [client.name for client in found if client.name in MEMBERS]
    java = next((client.command[:-1] for client in found if client.name == "java"), [])
    run = str(int(time.time()))

    def restart():
        subprocess.run(options.restart, shell=True, check=True)

    def attempt(name, action, barrier):
        bench = Bench(options.bootstrap, java, barrier)
        try:
            action(bench)
            report.cell(name, "")
        except (Failed, RuntimeError, subprocess.SubprocessError, threading.BrokenBarrierError) as error:
            report.cell(name, str(error) or type(error).__name__)
            barrier.abort()
        finally:
            bench.clear()

    def side_by_side(cells):
        """Each cell is a name and what is done on its bench."""
        barrier = threading.Barrier(len(cells), restart)
        with ThreadPoolExecutor(len(cells)) as pool:
            for done in [pool.submit(attempt, name, action, barrier) for name, action in cells]:
                done.result()

    def cell(scenario, client):
        name = f"{scenario.__name__}-{client}-{run}"
        return f"{scenario.__name__}: {client}", lambda bench: scenario(bench, client, name)

    for scenario in SCENARIOS:
        able = [client for client in clients if scenario is not cooperative or client in COOPERATIVE]
        if only and scenario.__name__ not in only:
            continue
        if scenario is broker_dies and not options.restart:
            report.skip(f"{scenario.__name__}: no --restart")
        elif able:
            side_by_side([cell(scenario, client) for client in able])
    if len(clients) > 1 and (not only or "mixed" in only):
        side_by_side([("mixed: " + ", ".join(clients), lambda bench: mixed(bench, clients, f"mixed-{run}"))])
    if not only or "simple" in only:
        if shutil.which("kcat"):
            side_by_side([("simple: kcat", lambda bench: simple(bench, f"simple-{run}"))])
        else:
            report.skip("simple: kcat is not installed")
    print(f"\n{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
