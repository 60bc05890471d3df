"""Compares the exporter with programs that poll with Tencent Cloud's own SDKs: how much of the rate limit they use, how
many requests are throttled, and what a request costs. Everything polls the simulator of `benches/engine.rs`, one after
the other, each with a new simulator. It prints a table in Markdown.

    python3 benches/peers/polling.py [--seconds 60] [--only go] [--target target]

It builds what is missing: the exporter and the simulator with cargo, the peers in target/peers. It needs Linux, cargo, go,
npm and Python's venv, and takes a quarter of an hour with 60 s each on an idle machine.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "benches/peers"

# One way, in milliseconds, as in benches/engine.rs.
LATENCIES = [(0, 10), (10, 100)]
LIMIT = 20
RATES = [20, 18]
# From the first request until the measurement: the first polls, and what a program does once.
WARM_UP = 5


class Simulator:
    def __init__(self, program, latency):
        arguments = [program, "--serve", "0", *map(str, latency)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.address, self.secret_id, self.secret_key, first, last = re.fullmatch(
            r"(\S+) (\S+) (\S+), users from (\d+) to (\d+)\n", line
        ).groups()
        self.uins = range(int(first), int(last) + 1)

    def count(self):
        """What arrived since the last call: answered, throttled, otherwise failed, and the densest second."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(number) for number in self.process.stdout.readline().split()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)


def stop(process):
    process.kill()
    process.wait()


def cpu_seconds(process):
    """CPU time of all threads, those that have ended included."""
    return time.clock_gettime(~process.pid << 3 | 2)


def peak_rss_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def run(*command, **options):
    print("+", *command, file=sys.stderr)
    return subprocess.run(command, check=True, **options)


def copy(peer, target):
    folder = target / "peers" / peer
    shutil.copytree(SOURCES / peer, folder, dirs_exist_ok=True)
    return folder


def build_rust():
    """The simulator, and the exporter."""
    command = ["cargo", "bench", "--locked", "--bench", "engine", "--no-run", "--message-format=json"]
    output = run(*command, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    programs = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
    return programs["engine"], programs["tencentcloud-cam-exporter"]


def build_go(target):
    folder = copy("sdk-go", target)
    run("go", "build", "-o", "peer", ".", cwd=folder)
    return [folder / "peer"]


def build_python(target):
    folder = copy("sdk-python", target)
    python = folder / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", folder / "venv")
    run(python, "-m", "pip", "install", "--quiet", "--requirement", folder / "requirements.txt")
    return [python, folder / "peer.py"]


def build_node(target):
    folder = copy("sdk-node", target)
    run("npm", "ci", "--silent", cwd=folder)
    return ["node", folder / "main.js"]


PEERS = {
    "go": ("Go SDK", build_go),
    "python": ("Python SDK", build_python),
    "node": ("Node SDK", build_node),
}


def exporter_command(program, rate, simulator, folder):
    """The configuration of benches/engine.rs: with an interval of a second, there is always a user due."""
    config = pathlib.Path(folder) / "config.yaml"
    config.write_text(
        f"accounts: [{{name: bench, uins: {list(simulator.uins)}, endpoint: 'http://{simulator.address}',"
        " credentials: {env: {}}}]\n"
        f"poll: {{interval: 1s, timeout: 1s, rate_limit: {rate}, max_in_flight: 16}}\n"
    )
    return [program, f"--config.file={config}", "--web.listen-address=127.0.0.1:0"]


def peer_command(command, rate, simulator, seconds):
    uins = simulator.uins
    return [*command, simulator.address, str(uins[0]), str(uins[-1]), str(rate), str(seconds)]


def measure(program, latency, seconds, command_of, errors=None):
    """Runs one client against a new simulator. `command_of` is called with the simulator and a folder for files."""
    with Simulator(program, latency) as simulator, tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "TENCENTCLOUD_SECRET_ID": simulator.secret_id,
            "TENCENTCLOUD_SECRET_KEY": simulator.secret_key,
        }
        process = subprocess.Popen(
            command_of(simulator, folder), env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            while not sum(simulator.count()[:3]):
                time.sleep(0.05)
            time.sleep(WARM_UP)
            simulator.count()
            start, cpu = time.monotonic(), cpu_seconds(process)
            time.sleep(seconds)
            answered, throttled, failed, densest = simulator.count()
            cpu, elapsed = cpu_seconds(process) - cpu, time.monotonic() - start
            return {
                "answered": answered / elapsed,
                "throttled": throttled,
                "failed": failed,
                "densest": densest,
                "cpu": 1000 * cpu / (answered + throttled + failed),
                "rss": peak_rss_mib(process),
            }
        finally:
            stop(process)


def print_row(latency, name, rate, result, ours):
    if result["failed"]:
        print(f"{name}: {result['failed']} requests failed", file=sys.stderr)
    ratios = " | ".join(f"{result[key] / ours[key]:.2f}" for key in ("answered", "cpu", "rss"))
    print(
        f"| {2 * latency[0]} to {2 * latency[1]} ms | {name} | {rate} | {result['answered']:.2f} "
        f"| {100 * result['answered'] / LIMIT:.1f} % | {result['throttled']} | {result['densest']} "
        f"| {result['cpu']:.3f} | {result['rss']:.1f} | {ratios} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of each measurement")
    parser.add_argument("--only", choices=PEERS, action="append", help="measure only this peer; may be repeated")
    parser.add_argument("--target", type=pathlib.Path, default=ROOT / "target", help="where the peers are built")
    options = parser.parse_args()

    engine, exporter = build_rust()
    chosen = [PEERS[key] for key in options.only or PEERS]
    peers = {name: build(options.target.resolve()) for name, build in chosen}

    print("| round trip | client | limiter, requests/s | answered/s | of 20/s | throttled | densest second "
          "| CPU ms/request | peak RSS MiB | answered, times ours | CPU, times ours | RSS, times ours |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for latency in LATENCIES:
        # The exporter's log is discarded; what a peer reports about failed requests is shown.
        ours = measure(
            engine, latency, options.seconds,
            lambda simulator, folder: exporter_command(exporter, LIMIT, simulator, folder),
            errors=subprocess.DEVNULL,
        )
        print_row(latency, "this exporter", LIMIT, ours, ours)
        for name, command in peers.items():
            for rate in RATES:
                theirs = measure(
                    engine, latency, options.seconds,
                    lambda simulator, _, command=command, rate=rate: peer_command(
                        command, rate, simulator, options.seconds + WARM_UP + 10
                    ),
                )
                print_row(latency, name, rate, theirs, ours)


main()
