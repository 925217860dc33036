// SPDX-License-Identifier: Apache-2.0
//
// load.mjs: one side of BullMQ under load, on the Redis of a unix socket.
//
//      node load.mjs work SOCKET JOBS CONCURRENCY
//      node load.mjs add SOCKET JOBS ADDERS PAYLOAD_BYTES
//
// Prints "ready" once it is connected. `work` then prints "done" when that many jobs have completed.
// `add` waits for a line of standard input; each adder then adds one job after the other. Both end
// when standard input ends.
import { once } from "node:events";
import process from "node:process";
import { Queue, Worker } from "bullmq";
import IORedis from "ioredis";

const QUEUE = "bench";

function say(word) {
    process.stdout.write(word + "\n");
}

function fail(error) {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
}

async function work(connection, jobs, concurrency) {
    let completed = 0;
    const worker = new Worker(QUEUE, async () => null, { connection, concurrency });
    worker.on("error", fail);
    worker.on("failed", (_job, error) => fail(error));
    worker.on("completed", () => {
        completed += 1;
        if (completed === jobs)
            say("done");
    });
    await worker.waitUntilReady();
    say("ready");
}

async function add(connection, jobs, adders, payloadBytes) {
    const queue = new Queue(QUEUE, { connection });
    const payload = "x".repeat(Math.max(0, payloadBytes - 2)); // and two quotes
    let left = jobs;
    const adder = async () => {
        while (left > 0) {
            left -= 1;
            await queue.add("noop", payload);
        }
    };
    queue.on("error", fail);
    await queue.waitUntilReady();
    say("ready");
    await once(process.stdin, "data");
    await Promise.all(Array.from({ length: adders }, adder));
}

const [role, path, ...numbers] = process.argv.slice(2);
const connection = new IORedis({ path, maxRetriesPerRequest: null });
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
await (role === "work" ? work : add)(connection, ...numbers.map(Number)).catch(fail);
