"""Audits of synthetic tables: what a release gives away about the rows it was made from."""

from reticent.audits.synthetic.exposed import Exposed, RowsAtRisk
from reticent.audits.synthetic.outcome import NOT_TESTED, SyntheticAudit, Test
from reticent.audits.synthetic.power import Power, power
from reticent.audits.synthetic.release import audit_release

__all__ = ["NOT_TESTED", "Exposed", "Power", "RowsAtRisk", "SyntheticAudit", "Test", "audit_release", "power"]
