"""What instruments measure: frozen records of plain numbers and strings, never a tensor.

Nothing here imports torch, so that rules load in a moment and can be tested without a model, and a saved `Examination`
can be judged again.
"""
