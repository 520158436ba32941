"""Was this row in the source? Scores from a release and a reference, larger for members.

Promise: a score reads the row, the release and the reference, never who was in the source. Without the reference a
score would only say how common a row is: both scores divide that out.

`density_ratio`: how much denser the release lies around the row than the population does, log p_release / p_reference
(DOMIAS: van Breugel, Sun, Qian and van der Schaar, 2023, with kernel densities). `calibrated_distance`: how much nearer
the nearest row of the release is than the nearest row of the reference, (d_reference - d_release) over their sum
(nearest neighbours: Hilprecht, Haertwich and Bernau, 2019; calibration: Watson, Guo, Cormode and Sablayrolles, 2022).

Not covered: rows of the reference must not be among those that are judged. A judged row that is in the reference has
distance zero to it, and would pass for a non-member.

Shapes: scores are (rows,) float64.

Example:
    >>> import numpy as np
    >>> from reticent.attacks.synthetic import Encoded, calibrated_distance
    >>> def rows(*values):
    ...     return Encoded(np.array(values)[:, None], np.zeros((len(values), 0), np.int32), np.zeros(0, np.int64))
    >>> calibrated_distance(rows(1.0, 4.0), release=rows(1.0, 2.0), reference=rows(3.0)).round(2).tolist()
    [1.0, -0.33]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic.densities import Kernel
from reticent.attacks.synthetic.distances import nearest
from reticent.attacks.synthetic.encoding import Encoded

__all__ = ["calibrated_distance", "density_ratio"]

Floats = npt.NDArray[np.float64]


def density_ratio(rows: Encoded, *, release: Encoded, reference: Encoded, kernel: Kernel | None = None) -> Floats:
    """(rows,) log p_release / p_reference; the kernel is chosen on the reference unless one is given."""
    shape = Kernel.chosen(reference) if kernel is None else kernel
    return shape.log_density(rows, release) - shape.log_density(rows, reference)


def calibrated_distance(rows: Encoded, *, release: Encoded, reference: Encoded) -> Floats:
    """(rows,) from 1, where the row is in the release and not in the reference, to -1 for the opposite; 0 for both."""
    to_release, to_reference = (nearest(rows, others)[:, 0] for others in (release, reference))
    total = to_release + to_reference
    return np.divide(to_reference - to_release, total, out=np.zeros(len(rows)), where=total > 0)
