"""`python -m synth_assets.cli`, as the console script."""

from synth_assets.cli import main

main()
