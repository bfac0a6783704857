"""A query over files of servers gives the histogram that it gives over the same files of this machine.

    remote_query.py SAMPLE_FOLDER
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

QUERY = """from hist import Hist, axis

mass = Hist(axis.Regular(60, 60, 120, name="mass"))
for event in events:
    mass.fill(event.M)
"""
SAMPLES = ["uproot-Zmumu.root", "uproot-Zmumu-zlib.root"]
BIN = pathlib.Path(os.environ["HQ_BIN"])
HERE = pathlib.Path(__file__).parent


def submit(folder, *files, expect=0, options=()):
    result = folder / "result.json"
    command = [BIN / "hq-submit", "--local", *options, "--json", result, folder / "query.py", *files]
    store = {"HQ_STORE": f"sqlite:{folder}/results.db", "no_proxy": "*"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **store})
    if done.returncode != 0 or expect != 0:
        assert done.returncode == expect, f"{files}: exit code {done.returncode}: {done.stderr}"
        return done.stderr
    return json.loads(result.read_text())


def histograms(document):
    """What was counted, without what tells where and when."""
    return {name: (one["axes"], one["storage"], one["metadata"]["hq_fills"]) for name, one in document.items()}


def main():
    samples = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        served = folder / "served"
        served.mkdir()
        for sample in SAMPLES:
            shutil.copy(samples / sample, served / sample)
        (folder / "query.py").write_text(QUERY)
        servers = subprocess.Popen(
            ["python3", HERE / "file_servers.py", served], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            ask(servers, folder, served)
        finally:
            servers.stdin.close()
            servers.wait(timeout=60)


def ask(servers, folder, served):
    http = f"http://127.0.0.1:{servers.stdout.readline().split()[1]}"
    one = histograms(submit(folder, f"{served}/{SAMPLES[0]}:events"))
    both = histograms(submit(folder, f"{served}/*.root:events"))
    assert both["mass"][2] == 2 * one["mass"][2] == 4608
    for mode in ("good", "busy", "reset"):
        found = histograms(submit(folder, f"{http}/{mode}/{SAMPLES[0]}:events"))
        assert found == one, f"{mode}: another histogram"
    found = histograms(submit(folder, *(f"{http}/good/{sample}:events" for sample in sorted(SAMPLES))))
    assert found == both

    config = folder / "datasets.conf"
    config.write_text(f"[z]\nfiles = {http}/good/{SAMPLES[0]}:events\n")
    assert histograms(submit(folder, "z", options=["--datasets", config])) == one

    def refused(spec, text):
        told = submit(folder, spec, expect=REFUSED)
        assert text in told, f"{spec}: {told}"

    refused(f"{http}/missing/{SAMPLES[0]}:events", "no such file on the server")
    refused(f"{http}/noranges/{SAMPLES[0]}:events", "no ranges")
    refused(f"{http}/good/*.root:events", "there are no globs")
    refused(f"{http}/good/{SAMPLES[0]}:nope", "nope")
    refused(f"ftp://127.0.0.1/{SAMPLES[0]}:events", "hq reads")

    https(servers, folder, one, refused)

    servers.stdin.write("xrootd\n")
    servers.stdin.flush()
    answer = servers.stdout.readline().split()
    if answer[0] != "ok":
        print("without XRootD:", *answer[1:])
        return
    root = f"root://127.0.0.1:{answer[1]}//data"
    assert histograms(submit(folder, f"{root}/{SAMPLES[0]}:events")) == one
    assert histograms(submit(folder, f"{root}/*.root:events")) == both
    assert histograms(submit(folder, f"{root}/uproot-Z[a-z]*-zlib.root:events")) != both
    refused(f"{root}/nothing*.root:events", "no file matches")
    refused(f"{root}/f*/*.root:events", "no folder's")
    shown = subprocess.run([BIN / "hq-show", f"{root}/{SAMPLES[0]}:events"], capture_output=True, text=True, check=True)
    local = subprocess.run([BIN / "hq-show", f"{served}/{SAMPLES[0]}:events"], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[1:] == local.stdout.splitlines()[1:]


def https(servers, folder, one, refused):
    """A server is trusted by the certificate that --remote-ca names, and by no other."""
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    servers.stdin.write(f"https {both}\n")
    servers.stdin.flush()
    url = f"https://127.0.0.1:{servers.stdout.readline().strip()}/good/{SAMPLES[0]}:events"
    trusted = ["--remote-ca", certificate]
    assert histograms(submit(folder, url, options=trusted)) == one
    trusting = folder / "trusted"
    trusting.mkdir()
    shutil.copy(certificate, trusting)
    subprocess.run(["openssl", "rehash", trusting], check=True, capture_output=True)
    assert histograms(submit(folder, url, options=["--fresh", "--remote-ca", trusting])) == one
    subprocess.run([BIN / "hq-show", *trusted, url], capture_output=True, check=True)
    assert subprocess.run([BIN / "hq-show", url], capture_output=True, check=False).returncode == REFUSED
    refused(url, "certificate")
    of_system(trusting, url, folder)


def of_system(trusting, url, folder):
    """What the system trusts counts only if --remote-ca is not given. The system's folder is another one for a while, for
    the processes below alone."""
    other, nothing = folder / "other.pem", folder / "nothing"
    nothing.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other", "-keyout", "/dev/null",
         "-out", other], check=True, capture_output=True)
    bundle = "ca-certificates.crt"  # which libcurl looks into as well as into the folder
    shutil.copy(next(trusting.glob("*.pem")), trusting / bundle)
    apart = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', trusting]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
        print("without what the system trusts: it cannot be changed for one process here")
        return
    show = [*apart, BIN / "hq-show"]
    subprocess.run([*show, url], check=True, capture_output=True)
    for ca in other, nothing:
        done = subprocess.run([*show, "--remote-ca", ca, url], capture_output=True, text=True, check=False)
        assert done.returncode == REFUSED and "certificate" in done.stderr, f"{ca}: {done.stdout}{done.stderr}"


REFUSED = 1
main()
