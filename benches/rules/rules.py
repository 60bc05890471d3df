#!/usr/bin/env python3
"""What the Prometheus rules cost: CPU-seconds an evaluation above the same Prometheus without rules.

    python3 benches/rules/rules.py --users 10000 --minutes 10 --old REVISION

Serves an exposition of so many users with two keys each, with few findings and with many, to a real Prometheus with a real
Alertmanager (in PATH: prometheus, prometheus-alertmanager), once for each variant. Also prints how long the groups took, how many
series they recorded, how many notifications were dropped, and whether each panel of the dashboard answers over the time range
within the default limits. The machine should be idle.
"""

import argparse, http.server, json, os, pathlib, shutil, subprocess, tempfile, threading, time, urllib.parse, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY = 86400
PROMETHEUS, ALERTMANAGER = 19870, 19871


class Population:
    """The exposition, made again for each scrape. The first users have a third key, and findings: six alerts each."""

    def __init__(self, users, with_findings):
        self.users, self.with_findings = users, with_findings

    def text(self):
        lines = [f"{name}{{{inner}}} {value}" for name, inner, value in self.samples(int(time.time()))]
        return ("\n".join(lines) + "\n").encode()

    def history(self, hours, target):
        """OpenMetrics text of the past hours, with a sample a minute, of the families that panels read over time."""
        end, out = int(time.time()) // 60 * 60, []
        for name, inner, value in sorted(self.samples(end)):
            if "_account_" in name or "_exporter_" in name or "_api_" in name or name.endswith(("_finding", "clock_skew_seconds")):
                labels = ",".join(filter(None, [inner, f'job="tencentcloud-cam-exporter",instance="127.0.0.1:{target}"']))
                # A sample of each minute, but for those that are scraped.
                out += [f"{name}{{{labels}}} {value} {end - 60 * ago}" for ago in range(60 * hours, 4, -1)]
        return "\n".join(out) + "\n# EOF\n"

    def samples(self, now):
        out = []

        def add(name, value, **labels):
            out.append((f"tencentcloud_cam_{name}", ",".join(f'{key}="{text}"' for key, text in labels.items()), value))

        a = {"account": "prod"}
        for name, value in (
            ("access_keys_limit", 3), ("access_key_max_age_seconds", 90 * DAY), ("account_poll_interval_seconds", 900),
            ("account_shortest_poll_interval_seconds", 667), ("account_schedule_lag_seconds", 0), ("account_users", self.users),
            ("account_up", 1), ("account_users_unanswered", 0), ("account_outage", 0), ("account_last_used_complete", 1),
            ("account_last_used_up", 1), ("account_user_discovery_up", 1), ("clock_skew_seconds", 0),
            ("api_requests_total", now), ("account_rate_limit_requests_per_second", 15), ("account_last_sweep_duration_seconds", 700),
        ):
            add(name, value, **a)
        for status in ("Active", "Inactive", "Unknown"):
            add("account_access_keys", 2 * self.users + self.with_findings if status == "Active" else 0, **a, status=status)
        add("account_inventory_complete", 1, **a, shard="0")
        for name in ("exporter_total_shards", "exporter_config_last_reload_successful"):
            add(name, 1)
        add("exporter_shard_ordinal", 0)
        add("exporter_build_info", 1, version="bench")
        for number in range(self.users):
            bad = number < self.with_findings
            u = {**a, "uin": str(100000000000 + number)}
            add("user_up", 1, **u)
            add("user_last_success_timestamp_seconds", now - (now + number) % 900, **u)
            add("user_info", 1, **u, user_name=f"user-{number}")
            add("user_console_login", 0, **u)
            for status in ("Active", "Inactive", "Unknown"):
                add("access_keys", 2 + bad if status == "Active" else 0, **u, status=status)
            for key in range(2 + bad):
                k = {**u, "access_key_id": f"AKIDabcd****{3 * number + key:06d}"}
                created = now - (200 if bad and key < 2 else 10) * DAY - number
                used = now - (60 if bad and key == 0 else 1) * DAY
                add("access_key_created_timestamp_seconds", created, **k)
                add("access_key_age_seconds", now - created, **k)
                for status in ("Active", "Inactive", "Unknown"):
                    add("access_key_status", int(status == "Active"), **k, status=status)
                add("access_key_last_used_timestamp_seconds", used, **k)
                add("access_key_never_used", 0, **k)
                add("access_key_auto_disable_timestamp_seconds", used + 89 * DAY, **k)
                if bad and key < 2:
                    add("access_key_finding", created, **k, finding="stale")
                    add("access_key_finding", created, **k, finding="very_stale")
                if bad and key == 0:
                    add("access_key_finding", used, **k, finding="unused")
            if bad:
                add("user_finding", 3, **u, finding="at_limit")
        return out


def serve(population):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = population.text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.population = population
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Prometheus:
    def __init__(self, rules, target, interval, history=None):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        if history is not None:
            (self.folder / "history").write_text(history)
            blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", self.folder / "history", self.folder / "data"]
            subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL)
        (self.folder / "alertmanager.yml").write_text("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
        rule_files = ""
        if rules is not None:
            (self.folder / "rules.yml").write_text(rules)
            rule_files = "rule_files: [rules.yml]\n"
        (self.folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s, evaluation_interval: {interval}s}}\n{rule_files}"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{ALERTMANAGER}']}}]}}]}}\n"
            f"scrape_configs:\n- job_name: tencentcloud-cam-exporter\n  static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
        )
        self.alertmanager = self.start(
            "prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/alerts",
            f"--web.listen-address=127.0.0.1:{ALERTMANAGER}", "--cluster.listen-address=",
        )
        self.process = self.start(
            "prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS}",
        )

    @staticmethod
    def start(*command):
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, path, **query):
        url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=300) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def number(self, expression):
        result = self.get("query", query=expression).get("data", {}).get("result", [])
        return sum(float(sample["value"][1]) for sample in result)

    def own(self, aggregate, family):
        """Of what it says of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PROMETHEUS}/metrics", timeout=300) as answer:
            lines = answer.read().decode().splitlines()
        return aggregate(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == family)

    def stop(self):
        for process in (self.process, self.alertmanager):
            process.terminate()
            process.wait()
        shutil.rmtree(self.folder)


def panels(prometheus, hours):
    """The panels that do not answer over so many hours."""
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    failed, now = [], time.time()
    # A collapsed row has its panels inside.
    for panel in (inner for outer in dashboard["panels"] for inner in (outer, *outer.get("panels", []))):
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "2m").replace("$__range", f"{hours}h")
            for variable in ("job", "account", "instance"):
                expression = expression.replace(f"${variable}", ".*")
            if target.get("range"):
                answer = prometheus.get("query_range", query=expression, start=now - hours * 3600, end=now, step=max(15, hours * 3600 // 1000))
            else:
                answer = prometheus.get("query", query=expression)
            if answer.get("status") != "success":
                failed.append(f"{panel['title']} {target['refId']}: {answer.get('error')}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=10, help="how long to measure each variant")
    parser.add_argument("--settle", type=int, default=7, help="minutes before that, in which alerts begin to fire")
    parser.add_argument("--findings", type=int, nargs="*", help="users with findings, six alerts each (few: users / 1000, and many: users * 7 / 15)")
    parser.add_argument("--interval", type=int, default=60, help="seconds between scrapes, and between evaluations")
    parser.add_argument("--old", help="a revision whose deploy/prometheus/rules.yml is measured too")
    parser.add_argument("--panels", type=int, default=0, help="hours over which the panels are asked; their past is made up")
    options = parser.parse_args()
    variants = {"none": None}
    if options.old:
        show = ["git", "-C", str(ROOT), "show", f"{options.old}:deploy/prometheus/rules.yml"]
        variants["old"] = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    variants["per key"] = (ROOT / "deploy/prometheus/rules.yml").read_text()
    variants["per account"] = (ROOT / "deploy/prometheus/rules-accounts.yml").read_text()
    print("alerts  variant      CPU-s an evaluation  longest group s  series recorded  missed  dropped")
    for with_findings in options.findings or (options.users // 1000, options.users * 7 // 15):
        server, base = serve(Population(options.users, with_findings)), 0.0
        for name, rules in variants.items():
            asks_panels = options.panels and name == "per key"
            past = server.population.history(options.panels, server.server_address[1]) if asks_panels else None
            prometheus = Prometheus(rules, server.server_address[1], options.interval, past)
            time.sleep(options.settle * 60)
            started = prometheus.cpu()
            time.sleep(options.minutes * 60)
            spent = (prometheus.cpu() - started) * options.interval / (options.minutes * 60)
            if rules is None:
                base = spent
            longest = prometheus.own(max, "prometheus_rule_group_last_duration_seconds") if rules else 0
            recorded = prometheus.number('count({__name__=~".+:.+"})')
            missed = prometheus.own(sum, "prometheus_rule_group_iterations_missed_total")
            dropped = prometheus.own(sum, "prometheus_notifications_dropped_total")
            alerts = len(prometheus.get("alerts").get("data", {}).get("alerts", []))
            print(f"{alerts:6}  {name:12} {spent - base:19.2f}  {longest:15.2f}  {recorded:15.0f}  {missed:6.0f}  {dropped:7.0f}", flush=True)
            if asks_panels:
                for line in panels(prometheus, options.panels) or [f"every panel answers over {options.panels} h"]:
                    print(line, flush=True)
            prometheus.stop()
        server.shutdown()


if __name__ == "__main__":
    main()
