"""Inner products against NumPy in float64."""

import numpy as np
import pytest
import torch

from lossdoctor.instruments.gramian import BLOCK, gramians

NOTHING = torch.zeros(0)


def exact(rows):
    flat = np.stack([row.to_dense().double().numpy().ravel() for row in rows])
    return flat @ flat.T


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 16 * BLOCK, 20 * BLOCK + 3])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_products_of_any_size(size, count):
    rows = [normal(size, seed=k) for k in range(count)]
    (G,), _ = gramians([[row] for row in rows], NOTHING)
    np.testing.assert_allclose(G, exact(rows), rtol=1e-6, atol=1e-6 * size)


def test_long_sums_of_one_sign_keep_their_digits():
    """Added up in float32 alone, ten million products are off by 4e-4."""
    row = torch.full((10_000_000,), 0.1)
    (G,), _ = gramians([[row]], NOTHING)
    assert float(G) == pytest.approx(1e7 * float(row[0]) ** 2, rel=1e-5)


def test_rows_that_cancel():
    """Nearly opposite gradients: the norm of their sum is a thousandth of theirs."""
    a, noise = normal(100_000), normal(100_000, seed=1)
    b = -a + 1e-3 * noise
    (G,), _ = gramians([[a], [b]], NOTHING)
    assert float(G.sum()) == pytest.approx(float((a.double() + b.double()).square().sum()), rel=0.05)
    np.testing.assert_allclose(G, exact([a, b]), rtol=1e-7)


def test_parameters_are_kept_apart_and_missing_gradients_are_zero():
    a, b, c = normal(3, 4), normal(3, 4, seed=1), normal(5, seed=2)
    G, _ = gramians([[a, None, None], [b, c, None]], NOTHING)
    np.testing.assert_allclose(G[0], exact([a, b]), rtol=1e-6)
    np.testing.assert_allclose(G[1], [[0, 0], [0, exact([c]).item()]], rtol=1e-6)
    assert G[2].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_multiplied_in_float32_or_better(dtype):
    rows = [normal(5000, seed=k, dtype=dtype) for k in range(2)]
    (G,), _ = gramians([[row] for row in rows], NOTHING)
    np.testing.assert_allclose(G, exact(rows), rtol=1e-12 if dtype == torch.float64 else 1e-6, atol=1e-3)


def test_sparse_transposed_expanded_and_complex_gradients():
    sparse = torch.sparse_coo_tensor([[1, 1, 4]], normal(3, 2), (6, 2), check_invariants=True)
    (G,), _ = gramians([[sparse], [normal(6, 2, seed=1)]], NOTHING)
    np.testing.assert_allclose(G, exact([sparse, normal(6, 2, seed=1)]), rtol=1e-6)

    transposed, expanded = normal(4, 3).T, torch.tensor(0.5).expand(3, 4)
    (G,), _ = gramians([[transposed], [expanded]], NOTHING)
    np.testing.assert_allclose(G, exact([transposed, expanded]), rtol=1e-6)

    a, b = torch.complex(normal(5), normal(5, seed=1)), torch.complex(normal(5, seed=2), normal(5, seed=3))
    (G,), _ = gramians([[a.conj()], [b]], NOTHING)
    inner = np.vdot(a.conj().resolve_conj().numpy(), b.numpy()).real
    assert float(G[0, 1]) == pytest.approx(inner, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e-20, 1e-18, 1e20, 1e30])
def test_squares_beyond_float32(scale):
    a, b = normal(5000) * scale, normal(5000, seed=1)
    (G,), _ = gramians([[a], [b]], NOTHING)
    np.testing.assert_allclose(G.diagonal(), exact([a, b]).diagonal(), rtol=1e-6)
    assert float(G[0, 1]) == pytest.approx(exact([a, b])[0, 1], abs=1e-6 * scale * 5000)


def test_nan_stays_in_its_own_row_and_column():
    a, b, c = normal(10), normal(10, seed=1), normal(10, seed=2)
    b[3] = np.nan
    (G,), _ = gramians([[a], [b], [c]], NOTHING)
    assert G.isnan().tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    np.testing.assert_allclose(G[::2, ::2], exact([a, c]), rtol=1e-6)


def test_what_travels_along_arrives_unchanged():
    values = torch.tensor([1 / 3, -2.5, torch.inf])
    _, arrived = gramians([[normal(5)]], values)
    assert arrived.tolist() == values.tolist()
    _, arrived = gramians([], values.double() / 7)
    assert arrived.tolist() == (values.double() / 7).tolist()


def test_autocast_and_reduced_precision_of_somebody_else_do_not_matter():
    rows = [[normal(9000, seed=k)] for k in range(2)]
    (plain,), _ = gramians(rows, NOTHING)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            (G,), _ = gramians(rows, NOTHING)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(G, plain)
