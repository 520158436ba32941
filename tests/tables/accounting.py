"""Published and independently computed privacy numbers, and what reticent's accountant must show against each.

All rows are for ADD_OR_REMOVE_ONE. "PLD" is a privacy-loss-distribution accountant, "RDP" a Renyi one (always looser),
"PRV" the one of Gopi, Lee and Wutschitz (2021), which returns an upper bound with a known slack.
"""

from __future__ import annotations

from typing import NamedTuple


class Exact(NamedTuple):
    """A Gaussian mechanism without sampling: mu is sensitivity over standard deviation."""

    mu: float
    delta: float
    epsilon: float


class Setting(NamedTuple):
    """`steps` Poisson-sampled Gaussian sums."""

    noise: float
    rate: float
    steps: int


class Known(NamedTuple):
    """Epsilon of a setting at one delta according to two accountants."""

    setting: Setting
    delta: float
    pld: float
    rdp: float


class Calibrated(NamedTuple):
    """Least noise multipliers for `rate` = batch / size and `steps` at (epsilon, delta)."""

    batch: int
    size: int
    steps: int
    epsilon: float
    delta: float
    pld: float
    rdp: float


# Source: the exact formula delta(eps) = Phi(mu/2 - eps/mu) - e^eps Phi(-mu/2 - eps/mu) (Balle and Wang, 2018), solved.
# Must hold: the formula, solved again in the test, gives these to 1e-9; our epsilon is at most 1e-4 above, never below.
EXACT_GAUSSIAN = (
    Exact(1.0, 1e-5, 4.3771780957),
    Exact(0.5, 1e-5, 1.9930914044),
    Exact(0.1, 1e-5, 0.3406693647),
    Exact(2.0, 1e-6, 10.9971512142),
)

# Source: tests of dp_accounting: sigma = sqrt(3), three times, is mu = 1. Must hold: equality to one printed digit.
MU_1_STEPS = Setting(3**0.5, 1.0, 3)
MU_1_DELTA_AT_1 = 0.126936
MU_1_TPR_AT_10_PERCENT = 0.38914

# Source: dp_accounting 0.6.0, run: PLD at its default interval 1e-4, rounded up; RDP with its default orders.
# Must hold: our epsilon equals the PLD column to rtol 1e-5 and is at or below the RDP column.
DP_ACCOUNTING = (
    Known(Setting(1.5, 0.04, 2250), 1e-5, 6.768787, 7.329335),
    Known(Setting(1.5, 0.04, 2249), 1e-5, 6.767051, 7.327501),
    Known(Setting(1.1, 256 / 60000, 14062), 1e-5, 2.381686, 2.596556),
    Known(Setting(1.0, 0.01, 1000), 1e-5, 1.828244, 2.101367),
    Known(Setting(0.6, 0.001, 10000), 1e-6, 3.152227, 3.999186),
    Known(Setting(3.0, 4096 / 50000, 2468), 1e-5, 6.529288, 7.045766),
    Known(Setting(0.8, 0.005, 1000), 1e-6, 2.004112, 2.626538),
    Known(Setting(5.0, 0.5, 200), 1e-5, 6.701170, 7.231782),
    Known(Setting(2.0, 0.1, 1), 1e-5, 0.369037, 0.525933),
    Known(Setting(0.9, 0.00256, 4900), 1e-5, 1.139973, 1.486609),
    Known(Setting(0.5, 0.02, 200), 1e-5, 12.204000, 14.357994),
    Known(Setting(1.0, 1.0, 1), 1e-5, 4.377178, 4.728507),
    Known(Setting(10.0, 1.0, 100), 1e-5, 4.377178, 4.728507),
    Known(Setting(4.530877117, 1.0, 1), 1e-6, 0.927392, 1.000000),
)

# Source: dp_accounting 0.6.0, run; the last at interval 1e-3, so a little above ours. Must hold: the printed digits.
DELTA_AT_1 = (Setting(1.0, 0.01, 1000), 2.612e-3)
TRUE_POSITIVE_RATES = (  # setting, false-positive rate, true-positive rate, half a unit of its last digit
    (Setting(1.0, 0.01, 1000), 0.01, 0.029139, 5e-7),
    (Setting(1.0, 0.01, 1000), 0.001, 0.004068, 5e-7),
    (Setting(3.0, 4096 / 50000, 2500), 0.01, 0.1776, 5e-5),
)
COARSE_EPSILON = (Setting(3.0, 4096 / 50000, 2500), 1e-5, 6.5797)

# Source: opacus/tests/prv_accountant.py, from microsoft/prv_accountant: upper bounds at delta = 1e-6, eps_error = 0.01.
# Must hold: each is the truth plus its slack of about 0.01, so 0 <= bound - ours <= 0.0115; for the row with the
# largest epsilon 0.012 (found: 0.01164; the PRV accountant itself promises no more than 2 * eps_error = 0.02).
PRV_DELTA = 1e-6
PRV_SLACK = 0.0115
PRV_SLACK_OF_THE_LARGEST = 0.012
PRV_UPPER_BOUNDS = {
    Setting(0.8, 0.001, 100): 0.270403,
    Setting(1.5, 0.001, 100): 0.039369,
    Setting(2.0, 0.001, 100): 0.029105,
    Setting(3.0, 0.001, 100): 0.021520,
    Setting(0.8, 0.05, 100): 6.741052,
    Setting(1.5, 0.05, 100): 1.953853,
    Setting(2.0, 0.05, 100): 1.283637,
    Setting(3.0, 0.05, 100): 0.767934,
    Setting(0.8, 0.2, 100): 24.333664,
    Setting(1.5, 0.2, 100): 8.498979,
    Setting(2.0, 0.2, 100): 5.672056,
    Setting(3.0, 0.2, 100): 3.381221,
    Setting(0.8, 0.001, 1000): 0.477771,
    Setting(1.5, 0.001, 1000): 0.099821,
    Setting(2.0, 0.001, 1000): 0.071219,
    Setting(3.0, 0.001, 1000): 0.047616,
    Setting(0.8, 0.05, 1000): 19.525843,
    Setting(1.5, 0.05, 1000): 6.209969,
    Setting(2.0, 0.05, 1000): 4.172800,
    Setting(3.0, 0.05, 1000): 2.527574,
    Setting(0.8, 0.001, 20000): 1.296009,
    Setting(1.5, 0.001, 20000): 0.437005,
    Setting(2.0, 0.001, 20000): 0.305838,
    Setting(3.0, 0.001, 20000): 0.194031,
    Setting(1.5, 0.05, 20000): 38.306618,
    Setting(2.0, 0.05, 20000): 24.421719,
    Setting(3.0, 0.05, 20000): 13.961115,
    Setting(0.8, 0.001, 50000): 2.034515,
    Setting(1.5, 0.001, 50000): 0.704218,
    Setting(2.0, 0.001, 50000): 0.491355,
    Setting(3.0, 0.001, 50000): 0.309694,
    Setting(1.5, 0.05, 50000): 73.190177,
    Setting(2.0, 0.05, 50000): 45.236996,
    Setting(3.0, 0.05, 50000): 24.942006,
}

# Source: Opacus tests, all at delta = 1e-5. Must hold: PRV is an upper bound with slack 0.0115; RDP is above ours; the
# value of the GDP accountant is a NEGATIVE example: it lies below the truth (it is a limit theorem, not a bound).
OPACUS_DELTA = 1e-5
OPACUS_RDP = (Setting(1.5, 0.04, 2250), 7.32911117143)
OPACUS_PRV = (Setting(1.5, 0.04, 2249), 6.777395712150674)
OPACUS_GDP = (Setting(1.5, 0.04, 2249), (6.59, 6.6))

# Source: Opacus tests of get_noise_multiplier(epsilon=8, delta=1e-5, sample_rate=0.04), for 90 epochs and 2000 steps.
# Must hold: our noise is at most the RDP one and within 0.5 % of the PRV one, which is searched only that finely.
OPACUS_CALIBRATED = (  # steps, PRV, RDP
    (2250, 1.34766, 1.416),
    (2000, 1.2915, 1.3562),
)

# Source: dp_accounting 0.6.0, run: noise calibrated with PLD at interval 1e-3, and with RDP.
# Must hold: our noise is within 0.3 % of the PLD one and below the RDP one.
CALIBRATED = (
    Calibrated(600, 60000, 1000, 1, 1e-5, 1.4159, 1.5132),
    Calibrated(4096, 50000, 1000, 1, 1e-5, 9.7501, 10.5610),
    Calibrated(4096, 50000, 2000, 3, 1e-5, 5.1759, 5.5540),
    Calibrated(4096, 50000, 2500, 8, 1e-5, 2.5763, 2.7301),
    Calibrated(512, 60000, 2340, 1, 1e-5, 1.7252, 1.8483),
    Calibrated(512, 60000, 4688, 3, 1e-5, 1.0687, 1.1237),
    Calibrated(100, 100000, 10000, 2, 1e-7, 0.7087, 0.8036),
)

# Source: dp_accounting 0.6.0 tests, PLD accountant, both at delta = 1e-6.
# Mixtures of Gaussians (standard deviation, moves, probabilities), three of the first and two of the second.
MIXTURES = ((1.0, (0, 1, 2), (0.2, 0.6, 0.2), 3), (2.0, (0, 2, 3), (0.33, 0.34, 0.33), 2))
MIXTURES_EPSILON = 17.193115
# Truncated Poisson samples (dataset size, rate, largest batch, noise). Must hold: ours is lower, because a unit that is
# added to a full sample is charged as one exchange (a move by 2), where dp_accounting takes the pair of -2 and +2; with
# that pair the value is theirs.
TRUNCATED = ((4, 0.5, 2, 1.0, 3), (3, 0.5, 2, 1.0, 2))
TRUNCATED_EPSILON = 17.904330

# Source: TF Privacy tests of compute_dp_sgd_privacy: epsilons by RDP (units, batch, noise, epochs, delta). Must hold:
# our second opinion is theirs to 1e-6, or lower where their orders end too early; our epsilon is lower.
TF_PRIVACY_RDP = (
    (60_000, 150, 1.3, 15, 1e-5, 0.7242234026),
    (100_000, 100, 1.0, 30, 1e-7, 1.4154988495),
    (100_000_000, 1024, 0.1, 10, 1e-7, 5907982.31),
)
# The same tests, 1.2 epochs at noise 0.7 (0.35 with micro-batches, which double the sensitivity), delta = 1e-5:
# everybody twice, and 120 steps at rate 0.01; by RDP and by PLD. Must hold: ours is the PLD value to 1e-4, from above.
TF_PRIVACY_PLD = (
    (0.7, 1.0, 2, 10.8602036, 10.1224946),
    (0.7, 0.01, 120, 3.2392676, 2.4612381),
    (0.35, 1.0, 2, 26.2880374, 24.7160779),
    (0.35, 0.01, 120, 22.6248601, 18.6977407),
)
# Source: dp_accounting 0.6.0 tests, PLD: Poisson samples at rate 0.2, noise 0.5, three times: delta at epsilon 1.
THREE_SAMPLES = ((0.5, 0.2, 3), 1.0, 0.15594)

# Renyi divergences of a sampled Gaussian (rate, noise, order) -> divergence, by integration with mpmath to 40 digits,
# at the corners of dp_accounting's own test of log_a. Must hold to 1e-6.
RENYI = {
    (1e-7, 0.1, 1.01): 4.00341232253e-6,
    (1e-6, 0.1, 1.5): 33.5534684296,
    (1e-4, 0.5, 3.3): 1.03528358168e-6,
    (0.01, 1.0, 2.7): 2.36238135914e-4,
    (0.1, 10.0, 9.9): 5.01054552109e-4,
    (0.999, 100.0, 1.05): 5.23950527643e-5,
    (0.999, 100.0, 256.0): 0.0127747354901,
    (0.5, 0.4, 11.0): 33.6125381014,
    (1e-7, 0.1, 64.0): 3183.62606156,
}
