"""Polls ListAccessKeys for a list of users with Tencent Cloud's SDK, in threads behind a limiter.

Usage: peer.py HOST:PORT FIRST_UIN LAST_UIN RATE SECONDS
"""

import itertools
import json
import logging
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tencentcloud.cam.v20190116 import cam_client, models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

MAX_IN_FLIGHT = 16


class Limiter:
    """Spaces requests evenly, and makes up for no time that was lost."""

    def __init__(self, rate):
        self.interval = 1 / rate
        self.next = time.monotonic()

    def wait(self):
        now = time.monotonic()
        if now < self.next:
            time.sleep(self.next - now)
        self.next = max(now, self.next) + self.interval


class Poller:
    def __init__(self, address):
        http = HttpProfile(protocol="http", endpoint=address, reqTimeout=1, keepAlive=True)
        secret = credential.Credential(os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"])
        self.client = cam_client.CamClient(secret, "", ClientProfile(httpProfile=http))
        self.lock = threading.Lock()
        self.keys = {}
        self.counts = {"answered": 0, "throttled": 0, "failed": 0}

    def poll(self, uin):
        request = models.ListAccessKeysRequest()
        request.TargetUin = uin
        try:
            keys = self.client.ListAccessKeys(request).AccessKeys
            outcome = "answered"
        except TencentCloudSDKException as error:
            keys = None
            outcome = "throttled" if error.get_code() == "RequestLimitExceeded" else "failed"
            if outcome == "failed":
                logging.error(error)
        with self.lock:
            self.counts[outcome] += 1
            if keys is not None:
                self.keys[uin] = keys


def main():
    address = sys.argv[1]
    first, last, rate, seconds = map(int, sys.argv[2:])
    poller = Poller(address)
    limiter = Limiter(rate)
    slots = threading.Semaphore(MAX_IN_FLIGHT)
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(MAX_IN_FLIGHT) as threads:
        for uin in itertools.cycle(range(first, last + 1)):
            slots.acquire()
            limiter.wait()
            if time.monotonic() >= end:
                break
            threads.submit(poller.poll, uin).add_done_callback(lambda _: slots.release())
    print(json.dumps(poller.counts))


main()
