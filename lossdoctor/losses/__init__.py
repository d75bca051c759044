"""The built-in loss components: every term, in every colour space.

`spaces.py` is free of torch, so that rules can read it too; all else starts at `build.build_component`.
"""
