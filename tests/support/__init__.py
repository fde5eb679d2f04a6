"""What the tests share: guards, a clock to advance, real servers to talk to."""
