"""What every implementation of a store must do: one suite per Protocol, run unchanged over each."""
