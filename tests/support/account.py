"""What /metrics of a server says, and the account of all offers in it."""

import re
import urllib.request


def scrape(server):
    with urllib.request.urlopen(f"http://{server.addresses['http']}/metrics", timeout=10) as answer:
        return answer.read().decode()


def metric(server, name, **labels):
    """One sample, or the sum over the labels that are not given; None when there is none."""
    found = [float(match[2]) for match in re.finditer(rf"^{name}(?:\{{(.*)\}})? (\S+)$", scrape(server), re.M)
             if all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items())]
    return sum(found) if found else None


def account(server):
    """offered, accepted, refused, expired, pending, of one scrape."""
    text = scrape(server)
    return [sum(float(value) for value in re.findall(rf"^corefleet_ingest_{name}(?:\{{.*\}})? (\S+)$", text, re.M))
            for name in ("offered_total", "accepted_total", "refused_total", "expired_total", "pending")]
