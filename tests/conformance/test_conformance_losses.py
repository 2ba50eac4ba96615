"""What every loss term must keep: it is a finite scalar with a gradient, and changes nothing that it is given."""

import inspect

import pytest
import torch

from tl_search import plugins
from tl_search.training.terms import HOME, loss_term


def computed(name, logits, targets):
    """The term's value, where logits are also the hidden states that it may ask for, a row for each token."""
    term, rows = loss_term(name), logits.flatten(0, 1)

    def encode(tokens, layer=None):
        return rows[tokens % len(rows)]

    return term(logits, targets, **({"encode": encode} if "encode" in inspect.signature(term).parameters else {}))


@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 3, 5)])
@pytest.mark.parametrize("name", plugins.names(HOME))
def test_a_loss_term_is_a_finite_scalar_with_a_gradient(name, shape):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator, requires_grad=True)
    targets = torch.randint(shape[-1], shape[:-1], generator=generator)
    before = logits.detach().clone(), targets.clone()
    value = computed(name, logits, targets)
    assert value.shape == ()
    assert torch.isfinite(value)
    value.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert torch.equal(logits.detach(), before[0])
    assert torch.equal(targets, before[1])


@pytest.mark.parametrize("name", plugins.names(HOME))
def test_a_loss_term_of_half_precision_logits_is_a_float32(name):
    logits, targets = torch.randn(2, 3, 5).bfloat16(), torch.randint(5, (2, 3))
    assert computed(name, logits, targets).dtype == torch.float32
