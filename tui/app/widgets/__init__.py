"""The parts of the main screen. They take values and post messages; none of them knows a host."""
