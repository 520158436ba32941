"""Audit a model behind an HTTP endpoint: what it gives away, what showing less is worth, in how many queries.

Run: python examples/audit_an_endpoint.py

The endpoint is a small server of its own on this machine, which stands for one that somebody else runs; now and then it
is too busy and says so. It answers with probabilities. The audit asks about every record once; the other exposures are
views of the same answers. The attack on labels alone asks again, about points around 25 members and 25 others.

    >>> effect, findings, queries = main()
    >>> effect.rows[0].estimates["auc"].low > 0.5  # a fully grown forest knows its training records
    True
    >>> [finding.attack for finding in findings]
    ['gap: right means member', 'distance to the decision boundary']
    >>> 500 < queries <= 500 + 50 * 189 + 1000
    True
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

import reticent as rt
from reticent.audits import exposure_effect_on, findings_without_shadows, split
from reticent.audits.case import prepare
from reticent.data import load
from reticent.models import Endpoint
from reticent.reports.exposures import exposure_table


@contextlib.contextmanager
def serving(model: Any) -> Iterator[str]:
    """The address of a server that answers {"inputs": [[...], ...]} with {"probabilities": [[...], ...]}."""
    requests = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal requests
            requests += 1
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
            if requests == 2:
                self.send_response(429)
                self.send_header("Retry-After", "0")
                self.end_headers()
                return
            content = json.dumps({"probabilities": model.predict_proba(np.array(rows, dtype=np.float32)).tolist()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/predict"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> tuple[Any, tuple[rt.Finding, ...], int]:
    """What exposures are worth, the attacks on labels, and the number of queries."""
    source = rt.Randomness.simulated(4)
    records = load("diabetes")
    members, others = split(records, source)
    model = RandomForestClassifier(50, random_state=0).fit(members.features, members.labels)
    with serving(model) as address:
        endpoint = Endpoint(address, budget=12_000, rate=50_000, batch=500)
        case = prepare(
            endpoint,
            members,
            others,
            exposure=rt.Exposure.SCORES,
            confidence=0.95,
            randomness=source,
            name="the endpoint",
        )
        effect = exposure_effect_on(case, ["scores", "scores:2 digits", "scores:top 1", "label"])
        findings = findings_without_shadows(case, ["gap", "boundary"], limit=25)
    return effect, findings, endpoint.queries


if __name__ == "__main__":
    compared, found, asked = main()
    print(exposure_table(compared.as_dict()))
    print(*found, sep="\n")
    print(f"{asked} queries in all")
