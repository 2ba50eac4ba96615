"""Metrics without labels: closed forms, a plain slow reference of each definition, and what must not matter."""

import doctest
import importlib
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from probe.known_metrics import OPTIONS
from torchmetrics import Metric

from tl_search.probe.measuring.accumulate import accumulated
from tl_search.probe.measuring.metric import find_metric


def of(name):
    """The metric as a function of states, or of one view of each text and the other, and of options."""

    def measured(states, *others, **options):
        if name in ("infonce", "dime"):
            states, others = torch.stack([states, *others], -2), ()
        return find_metric(name, options).measure(states, *others)

    return measured


anisotropy, curvature, dataset_entropy, effective_rank = map(
    of, ("anisotropy", "curvature", "dataset_entropy", "effective_rank")
)
prompt_entropy, rankme, lidar, infonce, dime = map(of, ("prompt_entropy", "rankme", "lidar", "infonce", "dime"))

TOKENS, VIEWS = ("prompt_entropy", "curvature"), ("lidar", "infonce", "dime")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rotation(width, seed=0):
    return torch.linalg.qr(draw(width, width, seed=seed).double()).Q


# Closed forms


@pytest.mark.parametrize("shape", [(4, 7), (7, 7), (1, 7)])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_orthonormal_rows_spread_over_as_many_directions_as_there_are(shape, alpha):
    rows = 3 * rotation(7)[: shape[0]].float()
    for entropy in (prompt_entropy, dataset_entropy):
        assert entropy(rows, alpha=alpha).item() == pytest.approx(math.log(shape[0]), abs=1e-6)
        assert entropy(rows, alpha=alpha, normalisation="max").item() == pytest.approx(float(shape[0] > 1), abs=1e-6)
    assert effective_rank(rows).item() == pytest.approx(shape[0], rel=1e-6)
    assert rankme(rows, eps=0.0).item() == pytest.approx(shape[0], rel=1e-6)


def test_columns_that_are_orthonormal_spread_over_the_width():
    assert dataset_entropy(rotation(9)[:, :4], normalisation="max").item() == pytest.approx(1)
    assert effective_rank(rotation(9)[:, :4]).item() == pytest.approx(4)


@pytest.mark.parametrize("shape", [(5, 8), (50, 8)])
def test_rank_one_has_no_entropy_not_even_that_of_rounding(shape):
    rows = draw(shape[0], 1) @ draw(1, shape[1], seed=1).sign()
    assert prompt_entropy(rows).item() == dataset_entropy(rows, alpha=2.0).item() == 0
    assert effective_rank(rows).item() == rankme(rows, eps=0.0).item() == 1


def test_rows_that_are_all_the_same_have_nothing_left_when_centred():
    rows = torch.ones(4, 3)
    assert dataset_entropy(rows, centre=True).item() == 0
    assert effective_rank(rows, centre=True).item() == 1
    assert anisotropy(rows).item() == pytest.approx(1)


def test_two_known_eigenvalues():
    """Singular values 2 and 1: shares of eigenvalues 0.8 and 0.2, of singular values 2/3 and 1/3."""
    rows = torch.diag(torch.tensor([2.0, 1.0]))
    assert dataset_entropy(rows).item() == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    assert dataset_entropy(rows, alpha=2.0).item() == pytest.approx(-math.log(0.68))
    assert dataset_entropy(rows, row_norm=True).item() == pytest.approx(math.log(2))
    assert effective_rank(rows).item() == pytest.approx(dataset_entropy(rows).exp().item())
    of_singular = math.exp(math.log(3) - 2 / 3 * math.log(2))
    assert effective_rank(rows, spectrum="singular").item() == pytest.approx(of_singular)
    assert rankme(rows, eps=0.0).item() == pytest.approx(of_singular)


def test_a_straight_path_is_not_curved_and_right_angles_and_returns_are():
    straight = torch.arange(6.0)[:, None] * torch.tensor([[1.0, 2.0, -1.0]])
    stairs = torch.tensor([[0, 0], [1, 0], [1, 1], [2, 1], [2, 2]]).float()
    there_and_back = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    assert curvature(straight).item() == 0
    assert curvature(stairs).item() == pytest.approx(math.pi / 2)
    assert curvature(there_and_back).item() == pytest.approx(math.pi)
    angles = torch.arange(9.0).double() * 2 * math.pi / 8
    assert curvature(torch.stack([angles.cos(), angles.sin()], -1)).item() == pytest.approx(2 * math.pi / 8)


def test_small_angles_are_seen():
    path = torch.tensor([[0, 0], [1, 0], [2, 1e-5]], dtype=torch.float64)
    assert curvature(path).item() == pytest.approx(1e-5, rel=1e-6)


def test_a_step_of_no_length_has_no_angle_and_two_tokens_have_none():
    stairs = torch.tensor([[0, 0], [1, 0], [1, 1], [1, 1], [1, 2]]).float()
    assert curvature(stairs).item() == pytest.approx(math.pi / 2)
    assert curvature(stairs[:2]).isnan()
    assert curvature(torch.zeros(5, 2)).isnan()


def test_opposite_and_orthogonal_vectors_are_not_anisotropic():
    assert anisotropy(torch.eye(4)).item() == pytest.approx(0)
    assert anisotropy(torch.tensor([[1.0, 0], [-3.0, 0]])).item() == pytest.approx(-1)
    assert anisotropy(torch.ones(1, 3)).isnan()


def test_views_that_are_alike_and_texts_that_are_not():
    """Orthonormal texts: every text finds itself at similarity 1 among others at 0."""
    same, texts = torch.eye(6), 6
    expected = math.log(texts) - math.log(1 + (texts - 1) * math.exp(-1 / 0.1))
    assert infonce(same, same).item() == pytest.approx(expected)
    assert dime(same, same).item() == pytest.approx(0)  # I ∘ ΠIΠᵀ = I
    blind = torch.ones(6, 4)
    assert infonce(blind, blind).item() == pytest.approx(0)
    assert dime(blind, blind).item() == pytest.approx(0)


def test_groups_of_texts_share_what_shuffled_views_do_not():
    """m groups of texts, all alike inside: S(K ∘ K) = ln m, and shuffled kernels spread further."""
    groups = torch.eye(3).repeat_interleave(4, 0)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    shuffled = torch.linalg.eigvalsh((groups @ groups.T * (groups @ groups.T)[order][:, order]).double() / 12)
    expected = torch.special.entr(shuffled.clamp(min=0)).sum().item() - math.log(3)
    assert dime(groups, groups, permutations=1).item() == pytest.approx(expected)
    assert dime(groups, groups).item() > 0.5


def test_lidar_counts_the_directions_of_texts_whose_views_agree():
    """Views without noise: Σw = δI, and Σb of centred simplex corners has N − 1 equal eigenvalues."""
    views = torch.eye(5)[:, None].repeat(1, 3, 1)
    assert lidar(views, eps=0.0).item() == pytest.approx(4)
    assert lidar(torch.ones(5, 2, 3), eps=0.0).item() == pytest.approx(1)


@pytest.mark.parametrize("texts", [4, 30])
def test_lidar_adds_its_epsilon_to_as_many_eigenvalues_as_the_width(texts):
    views = draw(texts, 3, 12, seed=texts).double()
    mean, means = views.mean((0, 1)), views.mean(1)
    between = (means - mean).mT @ (means - mean) / texts
    noise = (views - means[:, None]).flatten(0, 1)
    within = noise.mT @ noise / len(noise) + 1e-4 * torch.eye(12)
    spectrum = torch.linalg.eigvals(torch.linalg.solve(within, between)).real.abs()
    shares = spectrum / spectrum.sum() + 0.01
    assert len(shares) == 12
    assert lidar(views, eps=0.01).item() == pytest.approx((-(shares * shares.log()).sum()).exp().item())


def test_lidar_of_numbers_in_which_delta_is_lost_is_nan_where_it_is_and_nowhere_else():
    """Σw of few views in many dimensions is singular but for δ, which is far below the rounding of 1e12."""
    views = draw(2, 3, 2, 40).double()
    values = lidar(views * torch.tensor([1.0, 1e12])[:, None, None, None])
    assert values[0].isfinite()
    assert values[1].isnan()


# Plain slow references


def shares_entropy(values):
    shares = values[values > 1e-12 * values.sum()] / values.sum()
    return -(shares * np.log(shares)).sum()


def ref_prompt_entropy(states):
    return np.mean([shares_entropy(np.linalg.svd(z, compute_uv=False) ** 2) for z in states])


def ref_curvature(states):
    angles = []
    for z in states:
        steps = [(b - a) / np.linalg.norm(b - a) for a, b in pairwise(z)]
        angles.append(np.mean([np.arccos(np.clip(a @ b, -1, 1)) for a, b in pairwise(steps)]))
    return np.mean(angles)


def ref_dataset_entropy(vectors):
    return shares_entropy(np.linalg.svd(vectors, compute_uv=False) ** 2)


def ref_effective_rank(vectors):
    return np.exp(shares_entropy(np.linalg.svd(vectors, compute_uv=False) ** 2))


def ref_rankme(vectors):
    values = np.linalg.svd(vectors, compute_uv=False)
    shares = values / np.abs(values).sum() + 1e-7
    return np.exp(-(shares * np.log(shares)).sum())


def ref_anisotropy(vectors):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.mean([units[i] @ units[j] for i in range(len(units)) for j in range(len(units)) if i != j])


def ref_lidar(views):
    mean, means = views.mean((0, 1)), views.mean(1)
    between = np.mean([np.outer(m - mean, m - mean) for m in means], 0)
    within = np.mean([np.outer(v - m, v - m) for group, m in zip(views, means, strict=True) for v in group], 0)
    values, vectors = np.linalg.eigh(within + 1e-4 * np.eye(len(mean)))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    spectrum = np.abs(np.linalg.eigvalsh(root @ between @ root))
    shares = spectrum / spectrum.sum() + 1e-8
    return np.exp(-(shares * np.log(shares)).sum())


def ref_infonce(views):
    first, second = (view / np.linalg.norm(view, axis=1, keepdims=True) for view in views.transpose(1, 0, 2))
    logits = first @ second.T / 0.1
    losses = [-np.log(np.exp(row[i]) / np.exp(row).sum()) for way in (logits, logits.T) for i, row in enumerate(way)]
    return np.log(len(first)) - np.mean(losses)


def ref_dime(views):
    first, second = (view / np.linalg.norm(view, axis=1, keepdims=True) for view in views.transpose(1, 0, 2))
    one, two = first @ first.T, second @ second.T
    generator = torch.Generator().manual_seed(0)
    apart = []
    for _ in range(10):
        shuffle = np.eye(len(one))[torch.randperm(len(one), generator=generator).numpy()]
        apart.append(shares_entropy(np.linalg.eigvalsh(one * (shuffle @ two @ shuffle.T))))
    return np.mean(apart) - shares_entropy(np.linalg.eigvalsh(one * two))


def sample(name, layers=(), seed=0):
    """Ten texts of width 6, in whatever form the metric takes."""
    if name in VIEWS:
        return draw(*layers, 10, 1, 6, seed=seed) + 0.3 * draw(*layers, 10, 2, 6, seed=seed + 1)
    return draw(*layers, 10, 5, 6, seed=seed) if name in TOKENS else draw(*layers, 10, 6, seed=seed)


def start(name, **options) -> Metric:
    return accumulated(find_metric(name, options))


def measure(name, batches, **options):
    total = start(name, **options)
    for batch in batches:
        total.update(batch)
    return total.compute()


@pytest.mark.parametrize("name", OPTIONS)
def test_is_its_definition(name):
    states = sample(name)
    assert measure(name, [states]).item() == pytest.approx(globals()[f"ref_{name}"](states.double().numpy()), rel=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_all_layers_at_once_are_each_layer_alone_in_any_number_of_batches(name):
    states = sample(name, (3,))
    once = measure(name, [states])
    assert once.shape == (3,)
    assert once.dtype == torch.float64
    torch.testing.assert_close(measure(name, states.split([4, 1, 5], 1)), once)
    torch.testing.assert_close(torch.stack([measure(name, [layer]) for layer in states]), once)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_metric_says_what_it_is_and_starts_again(name):
    total = start(name)
    assert total.higher_is_better is find_metric(name, {}).higher_is_better
    assert total.higher_is_better in (None, True)
    assert total.is_differentiable
    total.update(sample(name, seed=5))
    total.reset()
    total.update(sample(name))
    assert total.compute().item() == measure(name, [sample(name)]).item()


@pytest.mark.parametrize("name", OPTIONS)
def test_a_gradient_flows_and_nan_stays_nan(name):
    states = sample(name).requires_grad_()
    start(name)(states).backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()
    broken = sample(name).masked_fill(torch.arange(6) == 2, math.nan)
    assert measure(name, [broken]).isnan()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_gradients_are_right_where_an_eigenvalue_is_zero(shape, alpha):
    """Centring makes one, and so does padding."""
    vectors, lengths = draw(*shape).double().requires_grad_(), torch.tensor([3])
    for function in (
        lambda z: dataset_entropy(z, centre=True, alpha=alpha),
        lambda z: effective_rank(z, centre=True, spectrum="singular"),
        lambda z: prompt_entropy(z[None], lengths, alpha=alpha),
        lambda z: rankme(z - z.mean(0), eps=0.0),
        lambda z: lidar(z.unflatten(0, (-1, 2)), delta=1.0, eps=0.0),
    ):
        assert torch.autograd.gradcheck(function, vectors)


@pytest.mark.parametrize("name", OPTIONS)
def test_half_precision_states_are_measured_in_double(name):
    states = sample(name)
    exact = measure(name, [states.bfloat16().double()])
    torch.testing.assert_close(measure(name, [states.bfloat16()]), exact)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_examples_in_its_docstring_hold(name):
    assert doctest.testmod(importlib.import_module(f"tl_search.probe.metrics.{name}")).failed == 0


# Padding


@pytest.mark.parametrize(
    "options", [{}, {"centre": True}, {"row_norm": True}, {"centre": True, "normalisation": "max"}]
)
def test_what_stands_after_a_prompts_tokens_does_not_count(options):
    lengths = torch.tensor([5, 3, 1])
    states = draw(3, 5, 4)
    padded = states.masked_fill(torch.arange(5)[None, :, None] >= lengths[:, None, None], math.nan)
    alone = [prompt_entropy(row[:length], **options) for row, length in zip(states, lengths, strict=True)]
    torch.testing.assert_close(prompt_entropy(padded, lengths, **options), torch.stack(alone))
    bends = [curvature(row[:length]) for row, length in zip(states, lengths, strict=True)]
    torch.testing.assert_close(curvature(padded, lengths), torch.stack(bends), equal_nan=True)


def test_a_prompt_without_any_angle_is_left_out_of_the_mean():
    total = start("curvature")
    states = draw(2, 5, 4)
    total.update(states, torch.tensor([5, 2]))
    assert total.compute().item() == pytest.approx(curvature(states[0]).item())


# What must not matter


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), power=st.integers(-3, 3))
def test_neither_the_axes_nor_the_unit_nor_the_order_of_texts_matters(name, seed, power):
    states = sample(name, seed=seed).double()
    value = measure(name, [states])
    options = {"delta": 1e-4 * 4.0**power} if name == "lidar" else {}
    torch.testing.assert_close(measure(name, [2.0**power * states], **options), value)
    torch.testing.assert_close(measure(name, [states @ rotation(6, seed)]), value)
    if name != "dime":  # its shuffles are drawn by place
        order = torch.randperm(10, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(measure(name, [states[order]]), value)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_a_moved_origin_matters_only_where_vectors_are_not_centred(seed):
    vectors, views = draw(10, 6, seed=seed).double(), sample("lidar", seed=seed).double()
    for metric in (dataset_entropy, effective_rank, anisotropy):
        torch.testing.assert_close(metric(vectors + 3, centre=True), metric(vectors, centre=True))
        assert abs(metric(vectors + 3) - metric(vectors)) > 0.01
    torch.testing.assert_close(lidar(views + 3), lidar(views))
    torch.testing.assert_close(curvature(vectors + 3), curvature(vectors))
