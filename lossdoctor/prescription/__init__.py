"""From findings to a changed config: which remedies help, which weights balance it, and what a trial says of it."""
