"""Patches of source text: the piece that is at fault, and nothing else; where in doubt, none."""

import pytest

from lossdoctor.prescription.source_patch import suggest_patch
from lossdoctor.records import Finding, Location, Severity

HEADER = """\
import torch
import torch.nn.functional as F
from torch import nn


def losses(model, batch):
    z, y = model(batch[0]), batch[1]
"""


def suggestion(tmp_path, body, code, line=None, **evidence):
    """The line that a patch changes `body` to, for a finding on its last line; None where there is no patch."""
    path = tmp_path / "losses.py"
    text = HEADER + "".join(f"    {part}\n" for part in body.splitlines())
    path.write_text(text)
    line = line or len(text.splitlines())
    location = Location(str(path), line)
    finding = Finding(code, "", Severity.ERROR, "total", ("a",), "", evidence=evidence, location=location)
    patch = suggest_patch(finding)
    if patch is None:
        return None
    assert patch.text == text
    removed = [row[1:] for row in patch.diff.splitlines() if row.startswith("-") and not row.startswith("---")]
    (added,) = [row[1:] for row in patch.diff.splitlines() if row.startswith("+") and not row.startswith("+++")]
    assert len(removed) == 1
    return added.strip()


CASES = [
    ("LD301", 'return {"a": F.mse_loss(z, y, reduction="sum")}', 'return {"a": F.mse_loss(z, y, reduction="mean")}', {}),
    ("LD301", 'return {"a": (z - y).abs().sum()}', 'return {"a": (z - y).abs().mean()}', {}),
    (
        "LD303",
        "return F.kl_div(F.log_softmax(z, 1), y)",
        'return F.kl_div(F.log_softmax(z, 1), y, reduction="batchmean")',
        {},
    ),
    ("LD303", 'return F.kl_div(z, y, reduction="mean")', 'return F.kl_div(z, y, reduction="batchmean")', {}),
    ("LD401", "return F.cross_entropy(F.softmax(z, dim=1), y)", "return F.cross_entropy(z, y)", {}),
    ("LD401", "return F.cross_entropy(z.softmax(1), y)", "return F.cross_entropy(z, y)", {}),
    (
        "LD401",
        "p = torch.sigmoid(z * 2)\nreturn F.binary_cross_entropy_with_logits(p, y)",
        "p = z * 2",
        {},
    ),
    ("LD402", "return F.nll_loss(F.softmax(z, dim=1), y)", "return F.nll_loss(F.log_softmax(z, dim=1), y)", {}),
    ("LD402", "return F.nll_loss(z, y)", "return F.nll_loss(z.log_softmax(1), y)", {"kind": "logits"}),
    ("LD402", "return F.kl_div(z + 1, y)", "return F.kl_div((z + 1).clamp_min(1e-8).log(), y)", {"kind": "probabilities"}),
    (
        "LD303",
        "return F.kl_div(z.log_softmax(1), y.softmax(1))",
        'return F.kl_div(z.log_softmax(1), y.softmax(1), reduction="none").sum(1).mean()',
        {"shape": "[4, 6, 9, 9]"},
    ),
    ("LD301", "return (z - y).sum() + z.abs().sum()", "return (z - y).mean() + z.abs().mean()", {}),
    ("LD501", "return (z - y).detach().abs().mean()", "return (z - y).abs().mean()", {"cut_by": "detach"}),
    ("LD501", "return (z.detach() - z.detach().mean() - y.detach()).mean()", "return (z - z.mean() - y.detach()).mean()", {"cut_by": "detach"}),
    ("LD601", "return torch.log(z) - y.log()", "return torch.log(z.clamp_min(1e-8)) - y.clamp_min(1e-8).log()", {"operation": "log"}),
    (
        "LD302",
        "return F.l1_loss(z, z), (y - z + 1).abs().mean()",
        "return F.l1_loss(z, z), (y - z.squeeze(1) + 1).abs().mean()",
        {"operation": "absolute difference", "shapes": ["[8]", "[8, 1]"]},
    ),
    ("LD501", "return F.mse_loss(z.detach(), y)", "return F.mse_loss(z, y)", {"cut_by": "detach"}),
    ("LD501", "return F.mse_loss(z, y).item()", "return F.mse_loss(z, y)", {"cut_by": "item"}),
    ("LD501", "return F.mse_loss(z.data, y)", "return F.mse_loss(z, y)", {"cut_by": "data"}),
    ("LD602", "return torch.sqrt(z.square().sum(1)).mean()", "return torch.sqrt(z.square().sum(1) + 1e-12).mean()", {"operation": "sqrt"}),
    ("LD602", "return z.square().sum(1).sqrt().mean()", "return (z.square().sum(1) + 1e-12).sqrt().mean()", {"operation": "sqrt"}),
    ("LD601", "return z.sqrt().mean()", "return z.clamp_min(1e-12).sqrt().mean()", {"operation": "sqrt"}),
    ("LD602", "return torch.where(z > 0, z.sqrt(), y)", "return torch.where(z > 0, z.clamp_min(1e-12).sqrt(), y)", {"operation": "sqrt"}),
    ("LD602", "return torch.acos(z).mean()", "return torch.acos(z.clamp(-1 + 1e-6, 1 - 1e-6)).mean()", {"operation": "acos"}),
    ("LD601", "return -(y * torch.log(z)).mean()", "return -(y * torch.log(z.clamp_min(1e-8))).mean()", {"operation": "log"}),
    ("LD302", "return F.mse_loss(z, y)", "return F.mse_loss(z.squeeze(1), y)", {"shapes": ["[8, 1]", "[8]"]}),
    ("LD302", "return F.mse_loss(z[0], y)", "return F.mse_loss(z[0], y.squeeze(1))", {"shapes": ["[4, 9, 9]", "[4, 1, 9, 9]"]}),
    ("LD406", "return F.binary_cross_entropy(z.clamp(0, 1), y)", "return F.binary_cross_entropy_with_logits(z, y)", {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "body", "expected", "evidence"), CASES)
def test_the_piece_at_fault(tmp_path, code, body, expected, evidence):
    assert suggestion(tmp_path, body, code, **evidence) == expected


def test_columns_are_characters(tmp_path):
    body = 'return {"größe": F.mse_loss(z.detach(), y), "é": z.mean()}'
    expected = 'return {"größe": F.mse_loss(z, y), "é": z.mean()}'
    assert suggestion(tmp_path, body, "LD501", cut_by="detach") == expected


def test_a_module_made_elsewhere_in_the_file(tmp_path):
    """The line calls the module; the argument is where it is made."""
    body = 'criterion = nn.MSELoss(reduction="sum")\nreturn criterion(z, y)'
    assert suggestion(tmp_path, body, "LD301") == 'criterion = nn.MSELoss(reduction="mean")'


@pytest.mark.parametrize(
    ("code", "body", "evidence"),
    [
        ("LD401", "return F.cross_entropy(z, y)", {}),  # the softmax is inside the model
        ("LD501", "return F.mse_loss(z, y)", {"cut_by": "no_grad"}),
        ("LD602", "return z.norm()", {"operation": "norm"}),
        ("LD302", "return F.mse_loss(z, y)", {"shapes": ["[8, 3]", "[3]"]}),
        ("LD301", "return F.mse_loss(z, y)", {}),
        ("LD999", "return F.mse_loss(z, y)", {}),
    ],
)
def test_in_doubt_there_is_none(tmp_path, code, body, evidence):
    assert suggestion(tmp_path, body, code, **evidence) is None


def test_a_file_that_is_gone_or_no_python(tmp_path):
    for name, text in {"missing.py": None, "broken.py": "def (:", "losses.yaml": "a: 1"}.items():
        if text:
            (tmp_path / name).write_text(text)
        location = Location(str(tmp_path / name), 1)
        finding = Finding("LD501", "", Severity.ERROR, "total", ("a",), "", location=location)
        assert suggest_patch(finding) is None
