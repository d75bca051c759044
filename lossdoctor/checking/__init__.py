"""`lossdoctor check`: many configs at once, without running any of them unless asked to."""
