"""The only Dagster code: thin assets, their checks, resources, the job with its schedule, and runs from the command line.

An asset loads, calls one function of its stage, stores, and tells the UI what a person wants to see.
"""
