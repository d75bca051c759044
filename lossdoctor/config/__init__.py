"""The config file: its schema, reading it with line numbers, and writing a first one."""
