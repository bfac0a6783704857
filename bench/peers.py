#!/usr/bin/env python3
"""The peers of bench/throughput: tasks that do nothing, two workers as processes of their own, over loopback.

    bench/peers.py dask|work_queue TASKS

One line of JSON; a line on stderr and exit code 1 where the peer is not installed.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

LATENCY_TASKS = 500


def nothing(_):
    return None


def quantiles(seconds):
    ordered = sorted(seconds)
    return {"p50_us": ordered[len(ordered) // 2] * 1e6, "p99_us": ordered[int(0.99 * (len(ordered) - 1))] * 1e6}


def timed(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(os.times()[:2])


def end(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def report(version, tasks, seconds, cpu_s, latencies):
    print(json.dumps({"version": version, "tasks": tasks, "per_s": tasks / seconds, "cpu_s_per_million": cpu_s / tasks * 1e6,
                      **quantiles(latencies)}))


def measure_dask(tasks, folder):
    import distributed
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address_file = os.path.join(folder, "scheduler.json")
    processes = [subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                                   "--no-dashboard", "--scheduler-file", address_file], **quiet)]
    try:
        until = time.monotonic() + 60
        while not os.path.exists(address_file):
            if time.monotonic() > until or processes[0].poll() is not None:
                sys.exit("dask: its scheduler does not start")
            time.sleep(0.02)
        for _ in range(2):
            processes.append(subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", address_file,
                                               "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard",
                                               "--local-directory", folder], **quiet))
        with distributed.Client(scheduler_file=address_file, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            client.gather(client.map(nothing, range(500), pure=False))
            pids = [process.pid for process in processes]
            before = cpu_seconds(pids)
            seconds = timed(lambda: client.gather(client.map(nothing, range(tasks), pure=False)))
            cpu_s = cpu_seconds(pids) - before
            latencies = [timed(lambda: client.submit(nothing, 0, pure=False).result()) for _ in range(LATENCY_TASKS)]
        report(distributed.__version__, tasks, seconds, cpu_s, latencies)
    finally:
        end(processes)


def measure_work_queue(tasks, folder):
    import ndcctools.work_queue as work_queue
    worker = shutil.which("work_queue_worker")
    if not worker:
        sys.exit("work_queue_worker is not on PATH")
    queue = work_queue.WorkQueue(port=0)
    processes = [subprocess.Popen([worker, "-s", folder, "--cores", "1", "127.0.0.1", str(queue.port)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) for _ in range(2)]

    def run(count):
        for _ in range(count):
            queue.submit(work_queue.Task("true"))
        done = 0
        while done < count:
            done += queue.wait(60) is not None

    try:
        run(20)
        pids = [process.pid for process in processes]
        before = cpu_seconds(pids)
        seconds = timed(lambda: run(tasks))
        cpu_s = cpu_seconds(pids) - before
        report(getattr(work_queue, "__version__", "?"), tasks, seconds, cpu_s, [timed(lambda: run(1)) for _ in range(100)])
    finally:
        end(processes)


def main():
    name, tasks = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="hq-peer-") as folder:
        try:
            {"dask": measure_dask, "work_queue": measure_work_queue}[name](tasks, folder)
        except ImportError as error:
            sys.exit(f"not installed: {error}")


if __name__ == "__main__":
    main()
