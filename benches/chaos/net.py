"""Hosts in network namespaces of their own, and the network between them.

Each host has one link, a TUN device, to a router: a thread of this process, which delays, reorders and drops whole IP packets as a
fault says. The kernels at both ends see a real network: their TCP retransmits, backs off and gives up as ever. `sch_netem` would do
the same, where a kernel has it. The bandwidth is the kernel's own `tbf`.
"""
import contextlib, ctypes, fcntl, heapq, os, pathlib, random, select, socket, struct, subprocess, threading, time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, UDP = 6, 17

libc = ctypes.CDLL(None, use_errno=True)


def run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def inside(namespace):
    """Sockets that this thread opens, and processes that it starts, are in the namespace."""
    here, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        yield
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


class Packet:
    """An IPv4 packet on its way."""

    def __init__(self, data):
        self.data = data
        self.source, self.target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        at = 4 * (data[0] & 15)
        ports = struct.unpack_from("!HH", data, at) if data[9] in (TCP, UDP) and len(data) >= at + 4 else (0, 0)
        # Of both directions.
        self.flow = frozenset([(self.source, ports[0]), (self.target, ports[1]), data[9]])


class Net:
    """All hosts of a scenario. A fault gets each packet, and returns by how many seconds it is late; None if it is lost."""

    def __init__(self, prefix, delay):
        # Each way, without a fault.
        self.delay = delay
        self.prefix, self.hosts, self.routes, self.flows, self.dead_flows = prefix, {}, {}, set(), set()
        self.fault, self.forwarded, self.dropped = None, 0, 0
        self.delayed, self.order, self.stopping = [], 0, False
        self.thread = threading.Thread(target=self.forward, daemon=True)

    def name(self, host):
        return f"{self.prefix}-{host}"

    def inside(self, host):
        return inside(self.name(host))

    def add(self, host, *addresses):
        """A host with these addresses; the network delivers to them from now on, unless another host has them already."""
        namespace = self.name(host)
        run("ip", "netns", "add", namespace)
        with inside(namespace):
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"net0", IFF_TUN | IFF_NO_PI))
        self.hosts[host] = device
        for address in addresses:
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", "net0")
            self.routes.setdefault(address, device)
        for link in ("lo", "net0"):
            run("ip", "-n", namespace, "link", "set", link, "up")

    def join(self, host, address, other, other_address):
        """A cable between two hosts, beside the network."""
        run("ip", "-n", self.name(host), "link", "add", "side0", "type", "veth", "peer", "name", "side0", "netns", self.name(other))
        for namespace, own in ((self.name(host), address), (self.name(other), other_address)):
            run("ip", "-n", namespace, "address", "add", f"{own}/24", "dev", "side0")
            run("ip", "-n", namespace, "link", "set", "side0", "up")

    def resolver(self, host, address):
        """The host's resolv.conf, which `ip netns exec` puts in place."""
        folder = pathlib.Path("/etc/netns") / self.name(host)
        folder.mkdir(parents=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\n")

    def limit(self, host, rate):
        """From now on the host sends no faster than that, such as 64kbit; None for no limit."""
        if rate is None:
            run("tc", "-n", self.name(host), "qdisc", "delete", "dev", "net0", "root")
        else:
            run("tc", "-n", self.name(host), "qdisc", "add", "dev", "net0", "root", "tbf", "rate", rate, "burst", "2000", "latency", "1s")

    def take_over(self, address, host):
        """The address belongs to that host from now on: nobody if it is None."""
        self.routes[address] = self.hosts.get(host)

    def start(self):
        self.thread.start()

    def forward(self):
        """Carries packets until the network is closed."""
        poll = select.poll()
        for device in self.hosts.values():
            poll.register(device, select.POLLIN)
        while not self.stopping:
            wait = min(self.delayed[0][0] - time.monotonic(), 0.2) if self.delayed else 0.2
            for device, _ in poll.poll(max(0, 1000 * wait)):
                with contextlib.suppress(BlockingIOError):
                    self.arrived(os.read(device, 65536))
            while self.delayed and self.delayed[0][0] <= time.monotonic():
                _, _, device, data = heapq.heappop(self.delayed)
                # A full queue drops, as any router's does.
                with contextlib.suppress(BlockingIOError):
                    os.write(device, data)

    def arrived(self, data):
        if data[0] >> 4 != 4:
            return
        packet = Packet(data)
        self.flows.add(packet.flow)
        device, fault = self.routes.get(packet.target), self.fault
        late = fault(packet) if fault else 0
        if late is None or device is None or packet.flow in self.dead_flows:
            self.dropped += 1
            return
        self.forwarded += 1
        self.order += 1
        heapq.heappush(self.delayed, (time.monotonic() + self.delay + late, self.order, device, data))

    def close(self):
        self.stopping = True
        if self.thread.is_alive():
            self.thread.join()
        for device in self.hosts.values():
            os.close(device)
        remove(self.prefix)


def remove(prefix):
    """The namespaces of that prefix, and their files, if they are still there."""
    for folder in pathlib.Path("/run/netns").glob(f"{prefix}-*"):
        subprocess.run(["ip", "netns", "delete", folder.name], check=False)
    for folder in pathlib.Path("/etc/netns").glob(f"{prefix}-*"):
        (folder / "resolv.conf").unlink(missing_ok=True)
        folder.rmdir()
    with contextlib.suppress(OSError):
        pathlib.Path("/etc/netns").rmdir()


class Resolver:
    """A DNS server that knows one name."""

    def __init__(self, net, host, address, name, target):
        self.name, self.target, self.is_dead = name, target, False
        with net.inside(host):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if not self.is_dead:
                self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, end = struct.unpack_from("!H", query, at + 1)[0], at + 5
        known = ".".join(labels).lower() == self.name
        has_address = known and kind == 1
        # Response, authoritative, recursion available; NXDOMAIN for other names.
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, has_address, 0, 0)
        row = struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(self.target) if has_address else b""
        return head + query[12:end] + row


class Faults:
    """What can happen to packets; the same each time, given the same packets."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def loss(self, share):
        return lambda packet: None if self.random.random() < share else 0

    def reordering(self, share, late):
        return lambda packet: late if self.random.random() < share else 0

    @staticmethod
    def latency(late):
        return lambda packet: late

    @staticmethod
    def cut(*sources):
        """Nothing arrives; or nothing that comes from these addresses."""
        return lambda packet: None if not sources or packet.source in sources else 0

    @staticmethod
    def black_hole(size):
        return lambda packet: None if len(packet.data) > size else 0
