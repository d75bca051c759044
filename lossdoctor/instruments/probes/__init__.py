"""Probes: the loss is run again with something changed whose effect is known.

A probe is one module with one public function, `(Replay) -> facts`. It says what it costs, raises
`NotApplicableError` where a setup does not offer what it needs, and is listed in `run.py`, by the field of
`Examination` that holds its facts.
"""
