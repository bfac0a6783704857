"""Runs one bench with small sizes and looks at what it wrote. usage: check.py BENCH"""
import json
import math
import os
import subprocess
import sys

SOURCE, BUILD = os.environ["HQ_SOURCE"], os.environ["HQ_BUILD"]


def fail(text):
    sys.exit(f"check: {text}")


def expect(is_so, text):
    if not is_so:
        fail(text)


def numbers(value, path=""):
    """Every number in it, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from numbers(inner, f"{path}[{i}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def run(name, *options):
    """What the bench wrote; every number in it is finite and none is negative, and its table names columns."""
    for server in ("zookeeper", "mongo-java"):
        has = subprocess.run([f"{SOURCE}/scripts/services", "has", server], capture_output=True, text=True, check=False)
        if has.returncode != 0:
            print(has.stdout.strip())
            sys.exit(77)
    command = [sys.executable, f"{SOURCE}/bench/{name}", "--build", BUILD, "--json", "figures.json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{name} ended with {done.returncode}: {done.stderr}")
    expect(done.stdout.startswith("| ") and "|---|" in done.stdout, f"no table: {done.stdout}")
    with open("figures.json", encoding="utf-8") as file:
        figures = json.load(file)
    for path, number in numbers(figures):
        expect(math.isfinite(number) and number >= 0, f"{path} is {number}")
    return figures


def check_scale():
    figures = run("scale", "--workers", "40", "--subtasks", "200,2000", "--rounds", "1")
    many, two_simulated, two = figures["fleets"]
    expect([row["subtasks"] for row in many["rows"]] == [200, 2000], "not a row for each number of subtasks")
    expect(many["totals"]["workers"] == 40 and many["totals"]["hellos"] >= 40, "not every worker was met")
    expect(many["totals"]["subtasks"] >= 5200, "fewer subtasks answered than asked for")
    expect(two_simulated["totals"]["workers"] == 2 and two["totals"] is None, "not the fleets that were asked for")
    expect(all(row["per_s"] > 0 and row["broker_mib"] > 1 for fleet in figures["fleets"] for row in fleet["rows"]), "a row is empty")
    expect(figures["of_two_workers"] > 0 and figures["flatness"] > 0, "no ratios")


def check_throughput():
    figures = run("throughput", "--subtasks", "5000", "--queries", "5", "--peer-tasks", "50")
    expect([kind["store"] for kind in figures["stores"]] == ["none", "sqlite", "mongodb"], "not a row for each store")
    for kind in figures["stores"]:
        expect(kind["throughput"]["subtasks"] == 5000, "not all subtasks were done")
        latency = kind["latency"]
        expect(0 < latency["accepted_p50_us"] <= latency["done_p50_us"] <= latency["done_p99_us"], "times out of order")
    expect(figures["relay_64"]["per_s"] > 0 and figures["relay_1"]["per_s"] > 0, "no ceiling")


def check_latency():
    figures = run("latency", "--store", "sqlite", "--queries", "10", "--files", "3", "--python", sys.executable)
    expect(list(figures["cases"]) == ["no-op", "from the store", "warm", "cold", "busy"], "not every case")
    for name, case in figures["cases"].items():
        expect(0 < case["first_p50_us"] <= case["done_p50_us"] <= case["done_p99_us"], f"{name}: times out of order")
    expect(figures["cases"]["from the store"]["stored"] == 10, "the store was not asked")
    expect(set(figures["of_bounds"]) == {"first", "done", "stored"}, "not every promise")


def check_fairness():
    figures = run("fairness", "--workers", "8", "--run-us", "5000", "--subtasks", "1600")
    shares = figures["shares"]
    expect(len(shares["users"]) == 4 and shares["ideal_s"] == 1.0, "not the queries that were asked for")
    expect(shares["alone_s"] > 0.7, "faster than the workers can be")
    # How large they are is for a quiet machine: clients that start one after the other have their shares of different times.
    expect(all(share > 0 for share in shares["users"]), f"users' shares {shares['users']}")
    expect(figures["weights"]["heavy"] > 0 and figures["weights"]["light"] > 0, "no weighted shares")
    expect(figures["short"]["beside_s"] > 0 and figures["priority"]["beside_s"] > 0, "no times of short queries")


def check_locality():
    figures = run("locality", "--python", sys.executable, "--workers", "4", "--files", "8", "--partitions", "8", "--run-us", "1000",
                  "--real-entries", "20000")
    expect([kind["kind"] for kind in figures["kinds"]] == ["simulated", "real"], "not both kinds of workers")
    for kind in figures["kinds"]:
        hq, random = kind["runs"]["hq"], kind["runs"]["random"]
        expect(hq["bytes"] == random["bytes"] == kind["alone"]["bytes"], "not the same trace")
        expect(kind["alone"]["repeated_cached"] == kind["alone"]["repeated_bytes"], "one worker forgot what it has room for")
        expect(hq["ideal"] <= hq["read"] <= hq["bytes"], "fewer bytes read than there are")
    simulated = figures["kinds"][0]["runs"]
    expect(simulated["hq"]["from_cache"] > simulated["random"]["from_cache"], "placement is worth nothing")


def check_stall():
    figures = run("stall", "--seconds", "0.2", "--bins", "1,5000,100000", "--progress")
    rows = figures["rows"]
    expect([row["bins"] for row in rows] == [0, 1, 5000, 100000], "not a row for each number of bins")
    expect(all(row["answers"] > 0 and row["p50_us"] <= row["p99_us"] <= row["max_us"] for row in rows), "STATUS was not asked, or times out of order")
    expect(all(row["subtasks"] >= 20 and row["seconds"] > 0 for row in rows[1:]), "a query was not computed")


def check_partials():
    """No cluster: one program and a store in a file."""
    program = f"{BUILD}/bench/partials"
    for options, batch in ((["300", "1000"], None), (["300", "1000", "70"], 70), (["5", "3000000"], 2)):
        done = subprocess.run([program, f"sqlite:partials-{len(options)}-{options[0]}", *options], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"partials ended with {done.returncode}: {done.stderr}")
        figures = json.loads(done.stdout)
        expect(figures["partials"] == int(options[0]) and figures["bytes"] == int(options[1]), "not the partials that were asked for")
        expect(batch is None or figures["batch"] == batch, f"{figures['batch']} at a time")
        expect(figures["put_s"] >= 0 and figures["get_s"] >= 0, "no times")
    done = subprocess.run([program, "nonsense", "3", "10"], capture_output=True, text=True, check=False)
    expect(done.returncode == 1 and done.stderr.startswith("partials: "), "a store that cannot be opened is no error")
    expect(subprocess.run([program], capture_output=True, check=False).returncode == 2, "wrong use is no error")


CHECKS = {"fairness": check_fairness, "locality": check_locality, "latency": check_latency, "partials": check_partials, "scale": check_scale,
          "stall": check_stall, "throughput": check_throughput}

if __name__ == "__main__":
    CHECKS[sys.argv[1]]()
