#!/usr/bin/env python3
"""The exporter on a network that fails: packets that are lost, late or too large, partitions, dead resolvers, half-open connections.

    cargo build --release --locked
    cargo build --release --locked --package tencentcloud-simulator --example serve
    python3 benches/chaos/chaos.py                        # all scenarios, in parallel: 15 minutes
    python3 benches/chaos/chaos.py loss-30 half-open      # these

Needs root on Linux, for network namespaces and TUN devices, and in PATH: ip and tc (iproute2), nginx, openssl, prometheus and
prometheus-alertmanager. A run of all scenarios writes docs/chaos.md and its plots. Exits with 1 if anything is wrong.
"""
import argparse, json, multiprocessing, os, pathlib, shutil, signal, subprocess, sys, tempfile, threading, time, traceback

sys.dont_write_bytecode = True

import report
from judge import Exposed, verdict
from net import remove
from scenarios import ISSUERS, all_of_them
from world import API_ALSO, INTERVAL, ROOT, World, certificates

# Before the fault, from the first complete sweep on: each user's second poll comes within two intervals. After it, so that alerts
# end: they do in two intervals and a few waits of Alertmanager.
BEFORE, AFTER, AFTER_ALERTS = 2 * INTERVAL + 5, 2 * INTERVAL, 4 * INTERVAL
# Between two changes of a user's keys.
ROTATION = 5


class Recorder:
    """Scrapes the exporter each second."""

    def __init__(self, world):
        self.world, self.scrapes, self.stopping = world, [], threading.Event()
        self.thread = threading.Thread(target=self.record, daemon=True)
        self.thread.start()

    def record(self):
        while not self.stopping.wait(1 - time.time() % 1):
            try:
                self.scrapes.append(Exposed(self.world))
            except OSError:
                # It has not started yet. Later Prometheus would notice, too.
                continue

    def until_complete(self, users, timeout=90):
        deadline = time.time() + timeout
        while not (self.scrapes and len(self.scrapes[-1].last) == users):
            if time.time() > deadline:
                raise TimeoutError("the first sweep does not end")
            time.sleep(0.5)

    def stop(self):
        self.stopping.set()
        self.thread.join()


def rotate_keys(world, until, users):
    """Changes the keys of one user after the other until then."""
    while time.time() < until:
        time.sleep(max(0, min(ROTATION, until - time.time())))
        if time.time() < until:
            world.rotate(next(users))


def in_turn(items):
    while True:
        yield from items


def play(scenario, prefix, folder, options):
    """One scenario, from the start of everything to its verdict."""
    world = World(prefix, folder, options.binary, options.simulator, scenario.users, scenario.delay)
    try:
        world.build()
        began_at = time.time()
        world.start_tls("spare", ISSUERS.get(scenario.name, "intermediary"), API_ALSO)
        recorder, users = Recorder(world), in_turn(world.uins)
        recorder.until_complete(len(world.uins))
        complete = len(recorder.scrapes)
        rotate_keys(world, time.time() + BEFORE, users)
        began = time.time()
        scenario.begin(world)
        rotate_keys(world, began + scenario.seconds, users)
        scenario.end(world)
        ended = time.time()
        time.sleep(AFTER_ALERTS if scenario.alerts else AFTER)
        recorder.stop()
        fired, log = world.fired(began_at), world.command("log")
        return verdict(scenario, world, recorder.scrapes[complete:], (began, ended), log, fired)
    finally:
        world.close()


def play_to_file(scenario, number, folder, options):
    """In a process of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    path = folder / scenario.name
    try:
        result = play(scenario, f"{options.prefix}-{number}", path, options)
    except Exception:
        result = {"name": scenario.name, "error": traceback.format_exc()}
    (folder / f"{scenario.name}.json").write_text(json.dumps(result))
    print(report.line(result), flush=True)


def versions(options):
    """What took part."""
    def first_line(*command):
        output = subprocess.run(command, capture_output=True, text=True, check=True)
        return (output.stdout or output.stderr).splitlines()[0].split(" (")[0]

    ours = first_line(options.binary, "--version")
    others = [first_line("prometheus", "--version"), first_line("prometheus-alertmanager", "--version")]
    return [ours, *[text.replace(", version", "") for text in others], first_line("nginx", "-v").replace("nginx version: ", ""), f"Linux {os.uname().release.split('-')[0]}"]


def arguments(chosen):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="all, if none is given")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/tencentcloud-cam-exporter")
    parser.add_argument("--simulator", type=pathlib.Path, default=ROOT / "target/release/examples/serve")
    parser.add_argument("--parallel", type=int, default=20, help="scenarios at a time (default: 20)")
    parser.add_argument("--long", type=float, default=600, help="seconds of the longest partition (default: 600)")
    parser.add_argument("--output", type=pathlib.Path, help="folder of chaos.md and its plots (default: docs, if all scenarios are played)")
    parser.add_argument("--keep", action="store_true", help="keep the logs, and print where they are")
    options = parser.parse_args(chosen)
    options.binary, options.simulator = options.binary.resolve(), options.simulator.resolve()
    return parser, options


def main():
    parser, options = arguments(None)
    every = {scenario.name: scenario for scenario in all_of_them(options.long)}
    if unknown := set(options.scenarios) - every.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    if missing := [path for path in (options.binary, options.simulator) if not path.exists()]:
        parser.error(f"not built: {', '.join(map(str, missing))}; see --help")
    chosen = [scenario for scenario in every.values() if scenario.name in options.scenarios or not options.scenarios]
    output = options.output or (None if options.scenarios else ROOT / "docs")
    options.prefix, folder = f"chaos-{os.getpid()}", pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
    players = [multiprocessing.Process(target=play_to_file, args=(scenario, number, folder, options)) for number, scenario in enumerate(chosen)]
    try:
        certificates(folder)
        # The longest first.
        for number in sorted(range(len(chosen)), key=lambda number: -chosen[number].seconds):
            while sum(player.is_alive() for player in players) >= options.parallel:
                time.sleep(1)
            players[number].start()
            # They would all start their programs at once.
            time.sleep(1)
        for player in players:
            player.join()
        results = [json.loads((folder / f"{scenario.name}.json").read_text()) for scenario in chosen]
        if output:
            report.write(output, results, versions(options))
        return 1 if any(result.get("error") or result["problems"] for result in results) else 0
    finally:
        for player in players:
            if player.is_alive():
                player.terminate()
                player.join()
        remove(options.prefix)
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
