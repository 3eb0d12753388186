"""Studies: whatever the project claims of itself, measured by a command (`make study-NAME`) and committed as JSON.

`data/studies/NAME.json` is the only source of figures in README, model cards and reports. A study brings stages
together as `assets` does, and knows the closed world's verifiers, which no filter of a recipe may know.
"""
