"""The report: docs/chaos.md, and a plot for each scenario."""
from world import INTERVAL, SCALE

WIDTH, LEFT, RIGHT = 720, 46, 8
POINTS = 240

TEXT = """# Network faults

What the exporter does on a network that fails. `benches/chaos` plays each fault on a network of its own, with a real Prometheus and
a real Alertmanager, and writes this page.

    cargo build --release --locked
    cargo build --release --locked --package tencentcloud-simulator --example serve
    python3 benches/chaos/chaos.py

It needs root on Linux. `python3 benches/chaos/chaos.py --help` lists the programs it needs and its options, such as single scenarios
and the length of the longest partition.

Versions: {versions}.

## Method

- The exporter, the API, the DNS server and the monitoring have a network namespace each, with TCP connections between kernels.
  The link of each host is a TUN device. A router in user space delays, reorders or drops whole IP packets, as `sch_netem` does where
  the kernel has it. Limits of bandwidth are the kernel's own, `sch_tbf`. Packets take 5 ms each way without a fault. Prometheus reaches
  the exporter over a link without faults.
- The API is the simulator, which verifies signatures and counts requests. nginx terminates TLS in front of it, closes each
  connection after 20 requests, and resumes no session. The exporter trusts the API's certificate authority by `SSL_CERT_FILE`.
- 20 users, unless the table says otherwise; `interval: {interval}s`, `rate_limit: 5`. The exporter's timeouts are the defaults.
- The rules are those of `deploy/prometheus`, with every wait divided by {scale}, because {interval} s is a tenth of the default interval. So
  `AccountDown` waits for 30 s, not for 5 min, and to the rules a partition of 2 min is one of 20 min.
- Every 5 s, also during the fault, a user's keys change at the API.

## Results

| scenario | fault | requests | densest second | wrong values | alerts expected | notifications | recovery | |
|---|---|--:|--:|--:|---|---|--:|---|
{rows}

- **Requests** and the **densest second** are those that reached the API, as it counts them. `rate_limit` allows 5,
  which the first sweep reaches, before the fault.
- **Wrong values**: the exporter is scraped each second. For each user, the keys must be those that the API returned in the poll whose
  time is `user_last_success_timestamp_seconds`, and their ages must be right. Data that is older than two intervals and a timeout must
  have `user_up` at 0. At the end, all keys must be those of the API.
- **Notifications** are those that Alertmanager sent, with the time since the beginning of the fault, and since its end. While
  `AccountDown` fires, Prometheus also has `PollFailing` and `InventoryStale`, which Alertmanager inhibits. Any other alert is an
  error.
- **Recovery** is the time until every user has been polled successfully: since the end of the fault, or since its beginning where
  only open connections or an old address are lost. It must be at most an interval, {interval} s; the exporter is scraped
  each second.

## Found and corrected

- The kernel sent requests again long after they had timed out. When the network was back, they arrived among newer ones: 6 in a
  second with `rate_limit: 5` in the scenario `late-requests`, and up to 8 with more users. Now, on Linux, a connection is closed when
  its data stays unacknowledged for 5 s. With a `poll.timeout` of less than 10 s, a request may still arrive up to 5 s after its
  timeout.

## Known

- After a partition of 20 min (`--long 1200`), the last user was polled after 33 s, which is more than an interval. While connections
  fail, each takes 5 s, and no more than `rate_limit` are tried at a time, so polls are late. The next slot of a user that was polled
  late is up to one and a half intervals later.

## Plots

The shaded part is the fault. Above, polls that succeed per second. Below, the age of the oldest answer in seconds. The bar at the top
is the time in which `AccountDown` was notified.
{plots}
"""


def notifications(result):
    told = [
        f"`{subject}` after {after:.0f} s" if status == "firing" else f"resolved {since_end:.0f} s after the end"
        for after, since_end, subject, status in result["told"]
    ]
    return ", ".join(told) or "none"


def row(result):
    if "error" in result:
        return f"| {result['name']} | not played | | | | | | | error |"
    recovery = "never" if result["recovery"] is None else f"{result['recovery']:.0f} s"
    expected = ", ".join(f"`{alert}`" for alert in result["expected"]) or "none"
    cells = [
        f"[{result['name']}](#{result['name']})", result["what"], f"{result['requests']:,}", result["densest"],
        f"{result['wrong']} of {result['values']:,}", expected, notifications(result), recovery,
        "passed" if not result["problems"] else "**failed**: " + "; ".join(result["problems"]),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def line(result):
    """For the terminal."""
    if "error" in result:
        return f"{result['name']}: {result['error']}"
    forwarded, dropped = result["packets"]
    text = (
        f"{result['name']:15} {result['requests']:5} requests, {result['densest']} in a second; {result['wrong']} of {result['values']} values wrong; "
        f"{notifications(result)}; recovery {result['recovery'] or -1:.1f} s; {dropped} of {forwarded + dropped} packets dropped"
    )
    return "\n  ".join([text, *map(str, result["problems"])])


def binned(points, width):
    """Sums, a second, of bins of so many seconds."""
    sums = {}
    for at, value in points:
        sums[at // width] = sums.get(at // width, 0) + value
    # The first and the last are not whole.
    bins = range(int(points[0][0] // width) + 1, int(points[-1][0] // width))
    return [(number * width, sums.get(number, 0) / width) for number in bins]


def thinned(points, count):
    """The highest of each group."""
    size = -(-len(points) // count)
    return [max(points[first : first + size], key=lambda point: point[1]) for first in range(0, len(points), size)]


def rounded_up(value):
    for step in (1, 2, 5, 10, 20, 30, 60, 100, 150, 200, 300, 600, 900, 1200, 1800, 2400, 3600):
        if value <= step:
            return step
    return value


def plot(result):
    ages = result["ages"]
    first, last = ages[0][0], ages[-1][0]

    def x(at):
        return round(LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def panel(points, top, height, title, steps):
        most = rounded_up(max(value for _, value in points))
        corners, before = [], None
        for at, value in points:
            y = round(top + height * (1 - value / most), 1)
            if steps and before is not None:
                corners.append(f"{x(at)},{before}")
            corners.append(f"{x(at)},{y}")
            before = y
        return (
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{height}" fill="none" stroke="#bbb"/>'
            f'<text x="{LEFT - 4}" y="{top + 9}" text-anchor="end">{most:g}</text><text x="{LEFT - 4}" y="{top + height}" text-anchor="end">0</text>'
            f'<text x="{LEFT}" y="{top - 4}">{title}</text>'
            f'<polyline points="{" ".join(corners)}" fill="none" stroke="#1f5fa8" stroke-width="1.3"/>'
        )

    shade = f'<rect x="{x(0)}" y="30" width="{round(x(result["seconds"]) - x(0), 1)}" height="184" fill="#f5d9d4"/>'
    bars, since = "", None
    for after, _, subject, status in result["told"]:
        if status == "firing":
            since = after
        elif since is not None:
            bars += f'<rect x="{x(since)}" y="2" width="{round(x(after) - x(since), 1)}" height="7" fill="#c0392b"><title>{subject}</title></rect>'
    step = rounded_up((last - first) / 8)
    marks = range(int(-(-first // step)), int(last // step) + 1)
    ticks = "".join(f'<text x="{x(mark * step)}" y="226" text-anchor="middle">{mark * step:g} s</text>' for mark in marks)
    polls = panel(binned(result["polls"], max(5, (last - first) / 150)), 30, 70, "polls that succeed, per second", True)
    oldest = panel(thinned(ages, POINTS), 120, 94, "age of the oldest answer, seconds", False)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 232" font-family="sans-serif" font-size="11">'
        f'<rect width="{WIDTH}" height="232" fill="#fff"/>{shade}{bars}{polls}{oldest}{ticks}</svg>\n'
    )


def write(folder, results, versions):
    plots = folder / "chaos"
    plots.mkdir(parents=True, exist_ok=True)
    sections = []
    for result in results:
        if "error" not in result:
            (plots / f"{result['name']}.svg").write_text(plot(result))
            what = result["what"][0].upper() + result["what"][1:]
            sections.append(f"\n### {result['name']}\n\n{what}.\n\n![{result['what']}](chaos/{result['name']}.svg)")
    rows = "\n".join(map(row, results))
    text = TEXT.format(versions=", ".join(versions), interval=INTERVAL, scale=SCALE, rows=rows, plots="\n".join(sections))
    (folder / "chaos.md").write_text(text)
