"""What runs on the hosts: the exporter, the simulated API behind TLS, Prometheus, Alertmanager and the receiver of notifications."""
import http.client, http.server, json, os, pathlib, re, subprocess, threading, time, urllib.parse

from net import Net, Resolver, inside

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "cam.chaos.test"

EXPORTER, API, RESOLVER = "10.77.0.1", "10.77.0.2", "10.77.0.3"
# The API's other address, and the own one of the host that can take over the first.
API_ALSO, SPARE = "10.77.0.12", "10.77.0.5"
# Between Prometheus and the exporter: no fault is there.
SCRAPED, SCRAPER = "10.78.0.1:10047", "10.78.0.2"
FIRST_UIN = 100013065917

# The polls' interval, and how many times shorter than in deploy/prometheus every wait of the rules is. An interval of 5 min, the
# default, would be as short.
INTERVAL, SCALE = 30, 10
SCRAPE = 3

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def certificates(folder):
    """An authority each for the API, for an intermediary, and for one that nobody trusts; a certificate from each; the trusted ones."""
    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    (folder / "extensions").write_text(f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n")
    for name in ("api", "intermediary", "stranger"):
        new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
        openssl(*new, f"/CN={name} authority", "-x509", "-days", 2, "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem")
        openssl(*new, f"/CN={NAME}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        issue = ("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey", f"{name}-ca.key", "-CAcreateserial")
        openssl(*issue, "-days", 2, "-extfile", "extensions", "-out", f"{name}.crt")
        # As an API does that sends its whole chain: more than fits a packet.
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}-ca.pem").read_text())
    trusted = [(folder / f"{name}-ca.pem").read_text() for name in ("api", "intermediary")]
    (folder / "trusted.pem").write_text("".join(trusted))


def shorter(number, unit):
    return f"{int(number) * SECONDS[unit] * 1000 // SCALE}ms"


def scaled_rules():
    """deploy/prometheus/rules.yml with each wait so much shorter; ages of keys, shares and clocks stay."""
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text()
    for pattern in (r"(\[)(\d+)([smhd])(?=\])", r"( offset )(\d+)([smhd])\b", r"(^ +(?:for|keep_firing_for|interval): )(\d+)([smhd])$"):
        rules, found = re.subn(pattern, lambda wait: wait[1] + shorter(wait[2], wait[3]), rules, flags=re.M)
        assert found, pattern
    rules, found = re.subn(r"(?<=:effective, )600(?=\))", str(600 // SCALE), rules)
    assert found == 1, "the least age of a stale inventory"
    return rules


def scaled_alertmanager(url):
    """deploy/prometheus/alertmanager.example.yml, which tells everything to `url`."""
    text = (ROOT / "deploy/prometheus/alertmanager.example.yml").read_text()
    waits = {"group_wait": 30, "group_interval": 300, "repeat_interval": 14400}
    lines = "".join(f"\n  {name}: {shorter(wait, 's')}" for name, wait in waits.items())
    text = text.replace("\n  receiver: ticket", f"\n  receiver: ticket{lines}", 1)
    return re.sub(r"^  - name: .*$", rf"\g<0>\n    webhook_configs: [{{url: '{url}', send_resolved: true}}]", text, flags=re.M)


class World:
    """Everything of one scenario."""

    def __init__(self, prefix, folder, binary, simulator, users, delay):
        self.folder, self.shared, self.binary, self.simulator_binary = folder, folder.parent, binary, simulator
        self.uins = [FIRST_UIN + number for number in range(users)]
        self.net, self.processes, self.notifications, self.history = Net(prefix, delay), [], [], {}
        folder.mkdir()

    def build(self):
        net = self.net
        net.add("exporter", EXPORTER)
        net.add("api", API, API_ALSO)
        net.add("resolver", RESOLVER)
        net.add("spare", SPARE, API)
        net.add("monitor")
        net.join("exporter", SCRAPED.split(":")[0], "monitor", SCRAPER)
        net.resolver("exporter", RESOLVER)
        net.start()
        self.resolver = Resolver(net, "resolver", RESOLVER, NAME, API)
        self.start_simulator()
        self.start_tls("api", "api", "127.0.0.1")
        self.start_monitor()
        self.start_exporter()

    def start(self, host, *command, environment=None, **options):
        """A process on a host. Its output is in the scenario's folder."""
        output = open(self.folder / f"{host}-{pathlib.Path(command[0]).name}.log", "ab")
        command = ["ip", "netns", "exec", self.net.name(host), *map(str, command)]
        options.setdefault("stdout", output)
        path = {"PATH": os.environ["PATH"]}
        process = subprocess.Popen(command, stderr=output, cwd=self.folder, env=environment or path, **options)
        self.processes.append(process)
        return process

    def start_simulator(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.simulator = self.start("api", self.simulator_binary, "0.0.0.0:8080", **pipes)
        self.credential = json.loads(self.simulator.stdout.readline())
        for uin in self.uins:
            self.rotate(uin)

    def command(self, *words):
        self.simulator.stdin.write(" ".join(map(str, words)) + "\n")
        return json.loads(self.simulator.stdout.readline())

    def rotate(self, uin):
        """The user has another key: of another id and another age. Every fifth user has none at each second time."""
        versions = self.history.setdefault(uin, [])
        created = int(time.time()) - 86400 - 1000 * len(versions)
        has_none = uin % 5 == 0 and len(versions) % 2
        keys = {} if has_none else {f"AKID{uin}{len(versions):04d}".ljust(36, "x"): created}
        self.command("keys", uin, *[word for key in keys.items() for word in key])
        versions.append((time.time(), keys))

    def start_tls(self, host, issuer, simulator):
        """A server at the API's addresses that ends TLS, as a load balancer does. It closes a connection after 20 requests, and
        sends its whole chain in each handshake."""
        path = self.folder / f"nginx-{host}"
        path.mkdir()
        temporary = "".join(f"{kind}_temp_path {path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;\n"
            f"events {{ worker_connections 256; }}\n"
            f"http {{ access_log off; {temporary} keepalive_requests 20; ssl_session_tickets off;\n"
            f"server {{ listen 443 ssl; ssl_certificate {self.shared}/{issuer}.pem; ssl_certificate_key {self.shared}/{issuer}.key;\n"
            f"location / {{ proxy_pass http://{simulator}:8080; proxy_set_header Host $http_host; proxy_next_upstream off; }} }} }}\n"
        )
        self.start(host, "nginx", "-p", path, "-c", path / "nginx.conf")

    def start_exporter(self):
        (self.folder / "config.yaml").write_text(
            f"accounts: [{{name: prod, uins: {self.uins}, endpoint: 'https://{NAME}', credentials: {{env: {{}}}}}}]\n"
            f"poll: {{interval: {INTERVAL}s, rate_limit: 5}}\nkeys: {{id_label: full}}\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": str(self.shared / "trusted.pem"),
            "TENCENTCLOUD_SECRET_ID": self.credential["secret_id"],
            "TENCENTCLOUD_SECRET_KEY": self.credential["secret_key"],
        }
        self.start("exporter", self.binary, f"--config.file={self.folder}/config.yaml", "--log.level=debug", environment=environment)

    def start_monitor(self):
        with self.net.inside("monitor"):
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 9099), receiver(self.notifications))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (self.folder / "rules.yml").write_text(scaled_rules())
        (self.folder / "alertmanager.yml").write_text(scaled_alertmanager("http://127.0.0.1:9099/"))
        (self.folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {SCRAPE}s, scrape_timeout: {SCRAPE}s, evaluation_interval: {SCRAPE}s}}\n"
            "rule_files: [rules.yml]\nalerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:9093']}]}]}\n"
            f"scrape_configs: [{{job_name: tencentcloud-cam-exporter, static_configs: [{{targets: ['{SCRAPED}']}}]}}]\n"
        )
        self.start(
            "monitor", "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts",
            "--web.listen-address=127.0.0.1:9093", "--cluster.listen-address=",
        )
        self.start(
            "monitor", "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:9090", f"--query.lookback-delta={shorter(5, 'm')}",
        )

    def get(self, address, path):
        """What a server says to the monitoring host."""
        with self.net.inside("monitor"):
            connection = http.client.HTTPConnection(address, timeout=10)
            connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return body

    def fired(self, began):
        """The alerts that Prometheus has held for firing since then: those too that Alertmanager inhibits."""
        query = {"query": 'ALERTS{alertstate="firing"}', "start": began, "end": time.time(), "step": 1}
        answer = json.loads(self.get("127.0.0.1:9090", f"/api/v1/query_range?{urllib.parse.urlencode(query)}"))
        return sorted({short(series["metric"]["alertname"]) for series in answer["data"]["result"]})

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.net.close()


def short(alert):
    return alert.removeprefix("TencentCloudCam")


def receiver(notifications):
    """Notes when an alert is notified as firing or as resolved. Repeated notifications are not noted again."""
    latest = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                labels, status = alert["labels"], alert["status"]
                subject = " ".join([short(labels["alertname"]), labels.get("uin", "")]).strip()
                if latest.get(subject, "resolved") != status:
                    latest[subject] = status
                    notifications.append((time.time(), subject, status))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler
