"""From a config to a `Setup`: the model, the batches and the loss, ready to be measured. Torch begins here."""
