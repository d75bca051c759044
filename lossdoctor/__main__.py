"""`python -m lossdoctor`."""

from .cli import main

if __name__ == "__main__":  # processes that measure import this module under another name
    main()
