"""What the exporter exposed, second by second, against what the API holds and has answered."""
import re, time

from world import INTERVAL, SCRAPED

# Of a request.
TIMEOUT = 10

LAST, UP = "user_last_success_timestamp_seconds", "user_up"
CREATED, AGE = "access_key_created_timestamp_seconds", "access_key_age_seconds"
FAMILIES = "&".join(f"name[]=tencentcloud_cam_{family}" for family in (LAST, UP, CREATED, AGE))
SAMPLE = re.compile(r'^tencentcloud_cam_(\w+)\{account="prod",uin="(\d+)"(?:,access_key_id="(\w+)")?\} (\S+)$', re.M)


class Exposed:
    """A scrape."""

    def __init__(self, world):
        self.sent = time.time()
        text = world.get(SCRAPED, f"/metrics?{FAMILIES}")
        self.at, self.last, self.up, self.keys, self.ages = time.time(), {}, {}, {}, {}
        for family, uin, key, value in SAMPLE.findall(text):
            if family == LAST:
                self.last[int(uin)] = float(value)
            elif family == UP:
                self.up[int(uin)] = float(value)
            elif family == CREATED:
                self.keys.setdefault(int(uin), {})[key] = int(float(value))
            elif family == AGE:
                self.ages[key] = float(value)

    def oldest(self):
        """The age of the oldest answer."""
        return self.at - min(self.last.values())

    def faults(self, answers, history):
        """What of it is wrong."""
        for uin, keys in self.keys.items():
            if uin not in self.last:
                yield f"{uin} has keys without an answer"
            for key, created in keys.items():
                if not self.sent - created - 1 <= self.ages[key] <= self.at - created + 1:
                    yield f"{key} is {self.ages[key]} s old, not {self.at - created}"
        for uin, last in self.last.items():
            # Times are exposed in whole seconds. A request arrives within its timeout before its answer.
            answered = [at for at in answers.get(uin, []) if last - TIMEOUT - 1 <= at <= last + 1.5]
            if self.keys.get(uin, {}) not in [version(history[uin], at + shift) for at in answered for shift in (-0.1, 0.1)]:
                yield f"{uin} has {self.keys.get(uin)}, which was not answered at {last}"
            if self.up[uin] and self.sent - last > 2 * INTERVAL + TIMEOUT:
                yield f"{uin} is up, and its answer {self.at - last:.0f} s old"


def version(versions, at):
    """The keys that a user had then."""
    return next((keys for since, keys in reversed(versions) if since <= at), None)


def verdict(scenario, world, scrapes, times, log, fired):
    """The scenario's row, and what is drawn. `times` are those of the fault's beginning and its end."""
    began, ended = times
    answers = {}
    for at, uin, outcome in log["arrivals"]:
        if outcome == "answered":
            answers.setdefault(uin, []).append(at)
    wrong = [f"{scrape.at - began:+.0f} s: {fault}" for scrape in scrapes for fault in scrape.faults(answers, world.history)]
    current = {uin: versions[-1][1] for uin, versions in world.history.items()}
    if any(scrapes[-1].keys.get(uin, {}) != keys for uin, keys in current.items()):
        wrong.append("at the end: not what the API holds")

    heals = began if scenario.heals_at_once else ended
    whole = (scrape.at for scrape in scrapes if scrape.at >= heals and len(scrape.last) == len(world.uins) and min(scrape.last.values()) >= int(heals))
    recovery = next(whole, None)

    told = [(at, subject, status) for at, subject, status in world.notifications]
    expected = [(alert, status) for alert in scenario.alerts for status in ("firing", "resolved")]
    inhibited = {"PollFailing", "InventoryStale"} if "AccountDown" in scenario.alerts else set()
    problems = []
    # The network is not what is tested then.
    stall = max(after.at - before.at for before, after in zip(scrapes, scrapes[1:]))
    if stall > 3:
        problems.append(f"the machine was too busy: it stood still for {stall:.0f} s")
    if log["densest"] > 5 or any(outcome == "too frequent" for *_, outcome in log["arrivals"]):
        problems.append(f"{log['densest']} requests in a second")
    problems += wrong[:3]
    if sorted((subject, status) for _, subject, status in told) != sorted(expected):
        problems.append(f"notifications: {[(round(at - began), subject, status) for at, subject, status in told]}")
    if set(fired) - inhibited != set(scenario.alerts):
        problems.append(f"alerts in Prometheus: {fired}")
    # Scrapes here are a second apart.
    if recovery is None or recovery - heals > INTERVAL + 1.5:
        problems.append(f"recovery: {recovery and recovery - heals}")
    return {
        "name": scenario.name, "what": scenario.what, "seconds": ended - began, "heals_at_once": scenario.heals_at_once,
        "requests": log["requests"], "densest": log["densest"],
        "values": sum(len(scrape.last) for scrape in scrapes), "wrong": len(wrong), "all_wrong": wrong,
        "expected": list(scenario.alerts), "fired": fired,
        "told": [(at - began, at - ended, subject, status) for at, subject, status in told],
        "recovery": recovery and recovery - heals, "problems": problems,
        "packets": [world.net.forwarded, world.net.dropped],
        "ages": [(scrape.at - began, scrape.oldest()) for scrape in scrapes],
        "polls": [(scrape.at - began, sum(scrape.last[uin] != before.last.get(uin) for uin in scrape.last)) for before, scrape in zip(scrapes, scrapes[1:])],
    }
