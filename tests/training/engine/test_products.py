"""Products by either library are those of float64, however the factors lie in memory."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.training.engine import contributions, products

LAYOUTS = {
    "as it comes": torch.randn,
    "turned": lambda m, k: torch.randn(k, m).T,
    "some columns": lambda m, k: torch.randn(m, k + 5)[:, 2 : 2 + k],
    "every second row": lambda m, k: torch.randn(2 * m, k)[::2],
    "every second column": lambda m, k: torch.randn(m, 2 * k)[:, ::2],
    "one row for all": lambda m, k: torch.randn(1, k).expand(m, k),
    "one number for all": lambda m, k: torch.randn(()).expand(m, k),
}


@pytest.mark.parametrize("one", LAYOUTS)
@pytest.mark.parametrize("other", LAYOUTS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (7, 3, 2), (64, 5, 33), (2, 65, 128)])
@pytest.mark.usefixtures("everything_is_large")
def test_products_of_factors_that_lie_anyhow(one, other, m, n, k):
    torch.manual_seed(m)
    first, second, bias = LAYOUTS[one](m, k), LAYOUTS[other](n, k), torch.randn(n)
    wanted = first.double() @ second.double().T
    torch.testing.assert_close(products.rows(first, second).double(), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(products.rows(first, second, bias).double(), wanted + bias, rtol=1e-5, atol=1e-5)
    pair = torch.stack([first, 2 * first]), torch.stack([second, second])
    found = products.each_rows(*pair).double()
    torch.testing.assert_close(found, torch.stack([wanted, 2 * wanted]), rtol=1e-5, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_empty_products_are_zero(m, n, k):
    found = products.rows(torch.ones(m, k), torch.ones(n, k), torch.ones(n))
    torch.testing.assert_close(found, torch.full((m, n), 1.0 + k))


@pytest.mark.usefixtures("everything_is_large")
def test_what_oneDNN_does_not_know_goes_to_torch():  # noqa: N802
    for first, second in (
        (torch.randn(3, 4).double(), torch.randn(5, 4).double()),
        (torch.randn(3, 4).bfloat16(), torch.randn(5, 4).bfloat16()),
        (torch.randn(0, 4), torch.randn(5, 4)),
    ):
        torch.testing.assert_close(products.rows(first, second), first @ second.T)
    with pytest.raises(RuntimeError, match="same dtype"):
        products.rows(torch.randn(3, 4), torch.randn(5, 4).double())


@pytest.mark.parametrize("off", [products.of_torch, lambda: torch.backends.mkldnn.flags(enabled=False)])
@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")
def test_it_can_be_switched_off(off, monkeypatch):
    def never():
        raise AssertionError("oneDNN was asked")

    monkeypatch.setattr(products, "_one_dnn", never)
    with off():
        products.rows(torch.ones(2, 3), torch.ones(4, 3))
        products.each_rows(torch.ones(2, 2, 3), torch.ones(2, 4, 3))
    with pytest.raises(AssertionError, match="was asked"):
        products.rows(torch.ones(2, 3), torch.ones(4, 3))


def test_a_factor_of_several_products_has_one_gram_matrix(monkeypatch):
    """Queries, keys and values have the same inputs: four Gram matrices, not six; norms as without sharing."""
    inputs = torch.randn(3, 70, 40).double()
    parts = [contributions.Product(torch.randn(3, 70, 50).double(), inputs) for _ in range(3)]
    alone = [part.measured() for part in parts]
    counted, plain = [], products.each_rows
    monkeypatch.setattr(products, "each_rows", lambda a, b: (counted.append(1), plain(a, b))[1])
    with contributions.shared_grams(parts):
        shared = [part.measured() for part in parts]
    assert len(counted) == 4
    for (norms, masses), (same_norms, same_masses) in zip(alone, shared, strict=True):
        torch.testing.assert_close(norms, same_norms)
        torch.testing.assert_close(masses, same_masses)
