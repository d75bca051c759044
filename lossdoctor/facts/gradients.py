"""What the gradient instrument writes: Gramians, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Block:
    """The Gramians of a group of parameters: `gramians[batch][i][j] = ⟨∇Lᵢ, ∇Lⱼ⟩`, of the unweighted components.

    Blocks of one objective are disjoint, so their Gramians add up to the Gramian over all its parameters.
    """

    name: str  #: top-level module; "" for parameters that the model itself holds
    reached_by: tuple[bool, ...]  #: which components have a gradient path to these parameters, in any batch
    parameters: int  #: number of scalars
    gramians: tuple[Matrix, ...]

    @property
    def shared(self) -> bool:
        """Whether at least two components of the objective reach these parameters."""
        return sum(self.reached_by) >= 2


@dataclass(frozen=True)
class ObjectiveGradients:
    """What the gradient instrument saw of one objective; per-batch values are indexed `[batch][component]`.

    `balance.py` derives norms, shares and cosines from it, for these weights or any others.
    """

    name: str
    components: tuple[str, ...]
    weights: tuple[float, ...]
    declared: tuple[bool, ...]  #: False where the weight is 1.0 only because none was given
    roles: tuple[str | None, ...]
    attached: tuple[bool, ...]  #: some batch gave the component a gradient path to the model's parameters
    values: tuple[tuple[float | None, ...], ...]  #: unweighted; None where a batch did not return the component
    output_grad_norms: tuple[tuple[float | None, ...], ...]  #: ‖∂Lᵢ/∂output‖; None where L does not use the output
    blocks: tuple[Block, ...]
    additivity_error: float | None = None
    """‖∇(ΣwᵢLᵢ)‖ of one real backward against √(wᵀGw), relative. Only hooks or custom backwards make it large."""
    output_gramians: tuple[Matrix, ...] = ()  #: by batch, as a block's but of ∂L/∂output; zeros where L does not use it
    parameter_norms: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Parameter -> ‖∂Lᵢ/∂θ‖ of every component, unweighted, mean over the batches; None without a gradient path."""
    agreement: tuple[float | None, ...] = ()
    """By component, the mean cosine between its gradients of any two batches; None where there are no two."""
    trains_elsewhere: tuple[str, ...] = ()
    """Components that are not attached, but have a gradient path to parameters outside the model: a criterion's own."""
