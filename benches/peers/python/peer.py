"""Exposes the users of a file the way exporters in Python usually do: a collector that makes the families at each
scrape, behind prometheus_client's own server. It polls nothing.

Usage: peer.py HOST:PORT FILE
"""

import json
import sys
import threading
import time

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily

STATUSES = ["Active", "Inactive", "Unknown"]
USER = ["account", "uin"]
KEY = [*USER, "access_key_id"]


def gauges(name, help_text, labels):
    return GaugeMetricFamily(f"tencentcloud_cam_{name}", help_text, labels=labels)


class Exporter:
    def __init__(self, users):
        self.users = users

    def collect(self):
        now = int(time.time())
        counts = gauges(
            "access_keys",
            "Access keys of the user by status, as last answered by the API, which is polled once every poll interval.",
            [*USER, "status"],
        )
        created = gauges(
            "access_key_created_timestamp_seconds", "Unix time at which the access key was created.", KEY
        )
        age = gauges("access_key_age_seconds", "Age of the access key at the scrape, by the exporter's clock.", KEY)
        status = gauges(
            "access_key_status",
            "Status of the access key as last polled: 1 for the status it has, 0 for the others.",
            [*KEY, "status"],
        )
        up = gauges("user_up", "Whether the last poll brought the user's access keys.", USER)
        answered = gauges(
            "user_last_success_timestamp_seconds", "Unix time at which the API last answered about the user.", USER
        )
        for user in self.users:
            labels = [user["account"], user["uin"]]
            for key in user["keys"]:
                of_key = [*labels, key["id"]]
                created.add_metric(of_key, key["created"])
                age.add_metric(of_key, now - key["created"])
                for name in STATUSES:
                    status.add_metric([*of_key, name], int(name == key["status"]))
            for name in STATUSES:
                counts.add_metric([*labels, name], sum(key["status"] == name for key in user["keys"]))
            up.add_metric(labels, 1)
            answered.add_metric(labels, user["answered"])
        return [counts, created, age, status, up, answered]


def main():
    address, file = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    with open(file, encoding="utf-8") as users:
        exporter = Exporter(json.load(users))
    registry = CollectorRegistry()
    registry.register(exporter)
    start_http_server(int(port), host, registry=registry)
    threading.Event().wait()


main()
