// Polls ListAccessKeys for a list of users with Tencent Cloud's SDK, behind bottleneck.
//
// Usage: node main.js HOST:PORT FIRST_UIN LAST_UIN RATE SECONDS
"use strict";

const http = require("node:http");
const Bottleneck = require("bottleneck");
// Of the package with all services, only CAM: that of CAM alone is not published under its own name.
const { cam } = require("tencentcloud-sdk-nodejs/tencentcloud/services/cam");

const MAX_IN_FLIGHT = 16;

const [address, ...numbers] = process.argv.slice(2);
const [first, last, rate, seconds] = numbers.map(Number);

// Connects to the given address. The SDK takes the service from the endpoint's first label, and signs the host without its
// port, so the endpoint remains that of the API.
const [host, port] = address.split(":");
class Agent extends http.Agent {
  createConnection(options, done) {
    return super.createConnection({ ...options, host, port }, done);
  }
}

const client = new cam.v20190116.Client({
  credential: {
    secretId: process.env.TENCENTCLOUD_SECRET_ID,
    secretKey: process.env.TENCENTCLOUD_SECRET_KEY,
  },
  profile: {
    httpProfile: {
      protocol: "http://",
      endpoint: "cam.tencentcloudapi.com",
      reqTimeout: 1,
      agent: new Agent({ keepAlive: true }),
    },
  },
});

const keys = new Map();
const counts = { answered: 0, throttled: 0, failed: 0 };

async function poll(uin) {
  try {
    const { AccessKeys } = await client.ListAccessKeys({ TargetUin: uin });
    keys.set(uin, AccessKeys);
    counts.answered += 1;
  } catch (error) {
    if (error.code === "RequestLimitExceeded") {
      counts.throttled += 1;
    } else {
      counts.failed += 1;
      console.error(error.message);
    }
  }
}

async function main() {
  const limiter = new Bottleneck({ minTime: 1000 / rate, maxConcurrent: MAX_IN_FLIGHT });
  const end = performance.now() + seconds * 1000;
  let next = first;
  // Each worker polls the next user as soon as the limiter lets it.
  const work = async () => {
    while (performance.now() < end) {
      const uin = next;
      next = next < last ? next + 1 : first;
      await limiter.schedule(poll, uin);
    }
  };
  await Promise.all(Array.from({ length: MAX_IN_FLIGHT }, work));
  console.log(JSON.stringify(counts));
}

main();
