"""The rules as they are published: a code is never reused or renamed, and keeps its level."""

from __future__ import annotations

import re

from lossdoctor.records import Severity

#: Code, name and level. E: error · C: by its effect · W: warning · N: note. In brackets a level that it has under a
#: condition.
_TABLE = """
LD101 dominated-objective W(E)        LD102 starved-component W(E)       LD103 conflicting-gradients W
LD104 value-misleads N                LD105 off-budget E                 LD106 overlapping-components W
LD107 noisy-component W               LD201 unnormalized-color-space C   LD202 range-mismatch E
LD203 pixel-scale C                   LD204 backbone-input-range W       LD205 circular-quantity W
LD206 channel-scale W                 LD207 unreachable-target E         LD301 sum-reduction C
LD302 silent-broadcast E              LD303 kl-reduction W               LD304 padding-counted W
LD401 double-activation E             LD402 not-log-probabilities E      LD403 wrong-direction E
LD404 imperfect-optimum E             LD405 target-out-of-domain E       LD406 logits-as-probabilities E
LD407 nondeterministic-loss W         LD501 no-gradient E(N)             LD502 zero-gradient E(N)
LD503 unreached-parameters W          LD504 total-mismatch E(N)             LD505 gradient-into-target W
LD506 zero-weight W                   LD507 weight-ignored E             LD601 non-finite-value E
LD602 non-finite-gradient E           LD603 half-precision-hazard E(N)   LD604 exploding-gradient E
LD605 vanishing-gradient W            LD606 saturated-output W           LD607 edge-case-hazard W
LD701 cannot-overfit E                LD702 sacrificed-component W       LD703 diverging E
LD704 output-collapse W               LD705 plateau W                    LD706 input-ignored E(N)
LD801 checkpoint-mismatch E(W)        LD802 degenerate-data W            LD901 schedule-never-active W
LD902 default-weight N                LD903 static-scale W(E)
"""

_LEVELS = {"E": {Severity.ERROR}, "W": {Severity.WARNING}, "N": {Severity.NOTE}, "C": set(Severity)}

#: Rules about parameters, output, data or comments, whose findings may name no component.
ABOUT_NO_COMPONENT = {"LD503", "LD605", "LD606", "LD706", "LD802", "LD904"}

#: Code -> name. A new rule takes a code that is not among these.
NAMES: dict[str, str] = {}

#: Code -> the severities that its findings may have.
SEVERITIES: dict[str, set[Severity]] = {}

for code, name, level in re.findall(r"(LD\d+) (\S+) (\S+)", _TABLE):
    NAMES[code] = name
    SEVERITIES[code] = set().union(*(_LEVELS[letter] for letter in level if letter.isalpha()))
