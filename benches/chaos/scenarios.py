"""The faults, when they begin and end, and which alerts are right."""
import dataclasses, typing

from net import Faults
from world import API, API_ALSO


@dataclasses.dataclass
class Scenario:
    name: str
    what: str
    seconds: float
    # Each gets the world.
    begin: typing.Callable
    end: typing.Callable
    # Alerts that are notified once, and are resolved afterwards.
    alerts: tuple = ()
    # There is a way to the API from the beginning on: only connections that were open are lost, or old addresses.
    heals_at_once: bool = False
    users: int = 20
    # Of each packet, before the fault and after it.
    delay: float = 0.005


def on_packets(name, what, seconds, make, alerts=(), **others):
    """A fault that happens to packets."""
    def begin(world):
        world.net.fault = make(Faults(name))

    def end(world):
        world.net.fault = None

    return Scenario(name, what, seconds, begin, end, alerts, **others)


def narrow(world, rate):
    for host in ("exporter", "api"):
        world.net.limit(host, rate)


def kill_resolver(world):
    world.resolver.is_dead = True


def revive_resolver(world):
    world.resolver.is_dead = False


def move_api(world):
    world.resolver.target = API_ALSO
    world.net.take_over(API, None)


def lose_connections(world):
    world.net.dead_flows = set(world.net.flows)


def switch_off(world):
    world.net.take_over(API, None)


def reboot(world):
    """The spare host has the address, and knows of no connection."""
    world.net.take_over(API, "spare")


def intercept(world):
    world.net.take_over(API, "spare")


def give_back(world):
    world.net.take_over(API, "api")


def nothing(_world):
    pass


def all_of_them(long):
    """`long` is the length of the longest partition, in seconds."""
    down = ("AccountDown",)
    minutes = f"{long / 60:g} min"
    return [
        on_packets("loss-1", "1 % of the packets are lost, each way", 150, lambda faults: faults.loss(0.01)),
        on_packets("loss-10", "10 % of the packets are lost, each way", 150, lambda faults: faults.loss(0.1)),
        on_packets("loss-30", "30 % of the packets are lost, each way", 150, lambda faults: faults.loss(0.3)),
        on_packets("latency", "each packet takes 300 ms longer, each way", 150, lambda faults: faults.latency(0.3)),
        on_packets("reordering", "every fourth packet takes 100 ms longer, and is overtaken", 150, lambda faults: faults.reordering(0.25, 0.1)),
        Scenario("bandwidth", "64 kbit/s, each way", 150, lambda world: narrow(world, "64kbit"), lambda world: narrow(world, None)),
        on_packets("partition-6s", "no packet arrives, for 6 s", 6, lambda faults: faults.cut()),
        on_packets("partition-48s", "no packet arrives, for 48 s: shorter than two intervals", 48, lambda faults: faults.cut()),
        on_packets("partition-2min", "no packet arrives, for 2 min", 120, lambda faults: faults.cut(), down),
        on_packets("partition-long", f"no packet arrives, for {minutes}", long, lambda faults: faults.cut(), down),
        # Some requests are under way, and others wait until the network is back. What timed out must not arrive among them.
        on_packets("late-requests", "45 users, and packets take 300 ms: no packet arrives, for 17 s", 17, lambda faults: faults.cut(), users=45, delay=0.3),
        on_packets("one-way", "what the API sends is lost", 120, lambda faults: faults.cut(API), down),
        on_packets("mtu", "packets of more than 1,000 bytes are lost, without an ICMP message", 180, lambda faults: faults.black_hole(1000), down),
        Scenario("resolver-dead", "the DNS server does not answer", 180, kill_resolver, revive_resolver, down),
        Scenario("address-change", "the API has another address; the old one is dead", 60, move_api, nothing, heals_at_once=True),
        Scenario("half-open", "open connections are dead, new ones are not", 60, lose_connections, nothing, heals_at_once=True),
        Scenario("reboot", "the API is gone for 10 s, and then knows of no connection", 10, switch_off, reboot),
        Scenario("tls-trusted", "an intermediary with a trusted certificate ends TLS", 60, intercept, give_back, heals_at_once=True),
        Scenario("tls-untrusted", "an intermediary with an untrusted certificate ends TLS", 120, intercept, give_back, down),
    ]


# Whose certificate the spare host has.
ISSUERS = {"reboot": "api", "tls-untrusted": "stranger"}
