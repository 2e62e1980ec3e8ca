"""The measurements of one paper, done again through the driver and the simulated instrument, and held against it."""
