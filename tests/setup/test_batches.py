"""Batches of every kind: taken, cached, copied, and given to the model."""

from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal
from torch.nn.utils.rnn import pack_sequence

from lossdoctor.config.load import parse_config
from lossdoctor.errors import DataError, UserCodeError
from lossdoctor.instruments.tensors import tensors_in
from lossdoctor.setup.batches import batch_size, call_model, changed, load_batches, loader, target_of, to
from lossdoctor.setup.user_code import importable

Pair = namedtuple("Pair", ["input", "target"])
CPU = torch.device("cpu")


def tensors():
    return torch.arange(6.0).view(2, 3), torch.ones(2)


@dataclass
class Graph:
    """Like the batches of torch_geometric: a class of its own with `clone` and `to`."""

    x: torch.Tensor

    def clone(self):
        return Graph(self.x.clone())

    def to(self, device):
        return self


@dataclass(frozen=True)
class Ratings:
    """A batch with a field that it makes itself."""

    user: torch.Tensor
    target: torch.Tensor
    count: int = field(init=False, default=0)

    def __post_init__(self):
        object.__setattr__(self, "count", len(self.user))


class TestCopies:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: tensors()[0],
            lambda: tensors(),
            lambda: list(tensors()),
            lambda: {"input": tensors()[0], "target": tensors()[1]},
            lambda: OrderedDict(input=tensors()[0]),
            lambda: Pair(*tensors()),
            lambda: ({"a": [tensors()[0]]}, tensors()),
            lambda: Ratings(*tensors()),
        ],
        ids=["tensor", "tuple", "list", "dict", "ordered dict", "named tuple", "nested", "dataclass"],
    )
    def test_a_copy_is_equal_of_the_same_type_and_independent(self, make):
        batch = make()
        copied = to(batch, CPU)
        assert type(copied) is type(batch)
        assert repr(copied) == repr(batch)
        first(copied).zero_()
        assert repr(batch) == repr(make())

    def test_what_is_no_tensor_is_kept(self):
        batch = ["name", 3, None, torch.Size([2, 3]), {"file": "a.png"}]
        assert to(batch, CPU) == batch
        assert type(to(batch, CPU)[3]) is torch.Size

    def test_mappings_that_cannot_be_rebuilt_become_dicts(self):
        assert to(defaultdict(list, a=1), CPU) == {"a": 1}

    def test_requires_grad_and_dtype_survive(self):
        batch = torch.ones(2, dtype=torch.float64, requires_grad=True)
        copied = to(batch * 1, CPU), to(batch, CPU)
        assert all(tensor.requires_grad and tensor.dtype == torch.float64 and tensor.is_leaf for tensor in copied)

    def test_batches_of_a_class_of_their_own(self):
        graph = Graph(torch.ones(2))
        to(graph, CPU).x.zero_()
        assert graph.x.sum() == 2

    def test_packed_sequences(self):
        packed = pack_sequence([torch.ones(3), torch.ones(2)])
        copied = to(packed, CPU)
        assert type(copied) is type(packed)
        copied.data.zero_()
        assert packed.data.sum() == 5


def test_a_distribution_is_what_it_is_centred_on():
    """The location replaced, the scale and the batch's own distribution stay."""
    given = Independent(Normal(torch.zeros(4, 3), torch.full((4, 3), 2.0)), 1)
    assert list(tensors_in(given)) == ["output.base_dist.loc"]
    moved = changed(given, lambda tensor: tensor + 5)
    assert moved.log_prob(torch.full((4, 3), 5.0)).tolist() == given.log_prob(torch.zeros(4, 3)).tolist()
    assert given.mean.sum() == 0


def first(batch):
    if isinstance(batch, torch.Tensor):
        return batch
    if isinstance(batch, Ratings):
        return batch.user
    return first(next(iter(batch.values() if isinstance(batch, dict) else batch)))


class Recorder(nn.Module):
    def forward(self, *args, **kwargs):
        return args, kwargs


class TestCallingTheModel:
    @pytest.mark.parametrize(
        ("batch", "args", "kwargs"),
        [
            (("x", "y"), ("x",), {}),
            (["x"], ("x",), {}),
            (Pair("x", "y"), ("x",), {}),
            ({"input": "x", "mask": "m"}, ("x",), {}),
            ({"ids": "x", "mask": "m"}, (), {"ids": "x", "mask": "m"}),
            ("x", ("x",), {}),
        ],
    )
    def test_as_the_contract_says(self, batch, args, kwargs):
        assert call_model(Recorder(), batch) == (args, kwargs)

    @pytest.mark.parametrize("batch", [(), []])
    def test_an_empty_batch(self, batch):
        with pytest.raises(DataError, match="empty"):
            call_model(Recorder(), batch)


@pytest.mark.parametrize(
    ("batch", "target"),
    [
        (("x", "y", "z"), "y"),
        (("x",), None),
        ({"target": "y"}, "y"),
        ({"input": "x"}, None),
        (Ratings("x", "y"), "y"),
        ("x", None),
    ],
)
def test_target(batch, target):
    assert target_of(batch) == target


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (torch.ones(4, 3), 4),
        ((torch.ones(4, 3), torch.ones(4)), 4),
        ({"name": "a", "x": [torch.ones(5)]}, 5),
        (Ratings(torch.ones(6), torch.ones(6)), 6),
        (torch.tensor(1.0), None),
        ("nothing", None),
    ],
)
def test_batch_size(batch, size):
    assert batch_size(batch) == size


USER_CODE = """
import random
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

class Numbers(Dataset):
    def __init__(self, count=20): self.count = count
    def __len__(self): return self.count
    def __getitem__(self, index): return torch.tensor([float(index)]), torch.tensor(0.0)

class Stream(IterableDataset):
    def __iter__(self): return (torch.tensor([float(i)]) for i in range(20))

class Broken(Numbers):
    def __getitem__(self, index): raise OSError("disk on fire")

def data_loader(): return DataLoader(Numbers(), batch_size=3)
def generator():
    for i in range(1000000): yield torch.tensor([float(i)])
def half_broken():
    yield torch.ones(1)
    raise ValueError("the second batch is bad")
def nothing(): return []
def none(): return None
def text(): return "batches"
def mapping(): return {"a": 1}
def tensor(): return torch.ones(3)
def raising(): raise KeyError("no data")
def random_batches(): return [torch.rand(2) + random.random() for _ in range(4)]
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "mydata.py").write_text(USER_CODE)

    def load(name, count=2, seed=0, **args):
        data = {"target": f"mydata:{name}", "args": args, "batch_size": 4}
        content = {"model": {"target": "unet"}, "data": data, "loss": {"step": "x:y"}, "measure": {"seed": seed}}
        with importable(tmp_path):
            return load_batches(parse_config(content, tmp_path / "config.yaml"), count)

    return load


class TestSources:
    def test_a_data_set_is_put_into_shuffled_batches(self, load):
        batches, facts = load("Numbers")
        assert (facts.batches, facts.batch_sizes) == (2, (4, 4))
        drawn = torch.cat([batch[0].flatten() for batch in batches])
        assert drawn.tolist() != sorted(drawn.tolist())
        assert torch.equal(torch.cat([batch[0].flatten() for batch in load("Numbers")[0]]), drawn)
        assert not torch.equal(torch.cat([batch[0].flatten() for batch in load("Numbers", seed=1)[0]]), drawn)

    def test_an_iterable_data_set(self, load):
        batches, _ = load("Stream")
        assert batches[0].flatten().tolist() == [0, 1, 2, 3]

    def test_a_data_loader_keeps_its_batch_size(self, load):
        assert load("data_loader")[1].batch_sizes == (3, 3)

    def test_a_generator_is_not_read_further_than_needed(self, load):
        batches, _ = load("generator")
        assert [float(batch) for batch in batches] == [0, 1]
        assert load("half_broken", count=1)[1].batches == 1

    def test_fewer_batches_than_asked_for(self, load):
        assert load("Numbers", count=100)[1].batches == 5

    def test_random_batches_depend_on_the_seed_alone(self, load):
        torch.rand(7)
        one, two, other = load("random_batches")[0], load("random_batches")[0], load("random_batches", seed=1)[0]
        assert all(map(torch.equal, one, two))
        assert not torch.equal(one[0], other[0])

    @pytest.mark.parametrize(("name", "args"), [("nothing", {}), ("Numbers", {"count": 0})])
    def test_no_batch_at_all(self, load, name, args):
        with pytest.raises((DataError, UserCodeError), match=r"data\.target"):
            load(name, **args)

    @pytest.mark.parametrize("name", ["none", "text", "mapping", "tensor"])
    def test_what_yields_no_batches(self, load, name):
        with pytest.raises(DataError, match=f"mydata:{name} returned"):
            load(name)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("raising", r"calling data.target: KeyError at .*mydata.py:\d+: 'no data'"),
            ("Broken", r"reading a batch from data.target: OSError at .*mydata.py:\d+: disk on fire"),
            (
                "half_broken",
                r"reading a batch from data.target: ValueError at .*mydata.py:\d+: the second batch is bad",
            ),
        ],
    )
    def test_errors_name_the_line(self, load, name, message):
        with pytest.raises(UserCodeError, match=message):
            load(name)

    def test_wrong_arguments(self, load):
        with pytest.raises(UserCodeError, match="calling data.target: TypeError.*size"):
            load("Numbers", size=3)


def test_loader_takes_any_seed():
    assert len(list(loader([1, 2, 3], 1, seed=2**70))) == 3
