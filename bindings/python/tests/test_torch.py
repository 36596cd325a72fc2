"""Tensors of torch as arguments and results, where the package is installed."""

from __future__ import annotations

import pytest

import twat_cache as tc

torch = pytest.importorskip("torch")


def _tensors():
    plain = torch.arange(4.0)
    return [
        plain, plain.double(), plain.half(), plain.to(torch.bfloat16), plain.long(), plain.reshape(2, 2), plain.reshape(2, 2).t(),
        torch.arange(4.0, requires_grad=True), torch.nn.Parameter(torch.arange(4.0)), torch.tensor(1.0), torch.tensor([1.0]),
        torch.tensor([1.0]).expand(4), torch.ones(4), torch.empty(0), torch.empty(0, 3), torch.tensor([1 + 2j]),
        torch.tensor([1 + 2j]).conj(), torch.tensor([1 + 2j]).conj().imag, torch.Size([2, 2]), (2, 2), torch.float32, torch.device("cpu"),
    ]  # fmt: skip


def test_tensors_that_differ_have_keys_that_differ(folder):
    f = tc.bcache(folder_name=folder)(lambda it: it)
    keys = [f.cache_key(it) for it in _tensors()]
    assert len(set(keys)) == len(keys) and keys == [f.cache_key(it) for it in _tensors()]


def test_a_tensor_changed_in_place_is_another_argument(folder):
    f, it = tc.bcache(folder_name=folder)(lambda it: float(it.sum())), torch.zeros(3)
    assert f(it) == 0 and f(it.add_(1)) == 3


def test_tensors_that_are_more_than_data_are_refused(folder):
    f = tc.bcache(folder_name=folder)(lambda it: 1)
    for it in (torch.eye(2).to_sparse(), torch.ones(1, requires_grad=True) * 2, torch.empty(1, device="meta")):
        with pytest.raises(tc.CacheKeyError):
            f(it)


def test_tensors_come_back_as_they_were(folder):
    for number, it in enumerate(_tensors()):
        f = tc.bcache(folder_name=folder, name=f"f{number}")(lambda it=it: it)
        again = [f(), f()][1]
        assert type(again) is type(it) and f.cache_info().hits == 1
        if isinstance(it, torch.Tensor):
            assert torch.equal(again, it) and (again.dtype, again.requires_grad) == (it.dtype, it.requires_grad)
        else:
            assert again == it


def test_views_that_are_conjugated_come_back_as_their_values_inside_of_results(folder):
    it = torch.tensor([1 + 2j])
    f = tc.bcache(folder_name=folder)(lambda: {"a": [it.conj(), it.conj().imag]})
    f()
    again = f()["a"]
    assert torch.equal(again[0], torch.tensor([1 - 2j])) and torch.equal(again[1], torch.tensor([-2.0]))
