"""The instruments: each measures one thing about a `Setup` and returns facts. Judging is the rules' business."""
