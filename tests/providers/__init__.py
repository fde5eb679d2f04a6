"""Each login provider against the conformance kit and its own traps."""
